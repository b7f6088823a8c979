import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { Alarms } from '../constructs/alarms.ts';
import { FIRST_PROVIDERS } from '../constructs/notification-channels-document.ts';
import { NotificationDashboard } from '../constructs/notification-dashboard.ts';
import { SaleDashboard } from '../constructs/sale-dashboard.ts';
import { SearchDashboard, type WatchedSearches } from '../constructs/search-dashboard.ts';
import type { Watched } from '../constructs/widgets.ts';

export interface ObservabilityStackProps extends StackProps {
  readonly config: StageConfig;
  readonly api: HttpApi;
  readonly coupons: Watched;
  readonly notifications: Watched;
  readonly searches: WatchedSearches;
}

/** Who is told when something is wrong, and where to look. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    const { config, api, coupons, notifications, searches, ...stackProps } = props;
    super(scope, id, stackProps);

    const topic = new Topic(this, 'AlarmTopic', { enforceSSL: true });
    if (config.alarmEmail) topic.addSubscription(new EmailSubscription(config.alarmEmail));

    const alarms = new Alarms(this, 'Alarms', new SnsAction(topic));
    alarms.watchApi(api);
    for (const { functions, queues, stream, table } of [coupons, notifications, searches]) {
      for (const fn of functions) alarms.watchFunction(fn);
      for (const queue of queues) alarms.watchQueue(queue);
      alarms.watchStream(stream);
      alarms.watchTable(table);
      // The local AWS has no metric math.
      if (config.stage !== 'local') alarms.watchTableFailures(table);
    }
    alarms.watchTable(searches.searchTable);
    alarms.watchIndexFailures();
    alarms.watchIndexLag();
    alarms.watchIndexJobs();
    alarms.watchSuggestions();
    if (config.stage !== 'local') {
      alarms.watchTableFailures(searches.searchTable);
      alarms.watchFruitlessSearches();
    }
    alarms.watchLateness();
    for (const provider of FIRST_PROVIDERS) {
      alarms.watchProviderLeftAlone(provider);
      if (config.stage !== 'local') alarms.watchProviderFailures(provider);
    }

    new SaleDashboard(this, 'Sale', { api, ...coupons });
    new NotificationDashboard(this, 'Notifications', notifications);
    new SearchDashboard(this, 'Searches', searches);
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn });
  }
}

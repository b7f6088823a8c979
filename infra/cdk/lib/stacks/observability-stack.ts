import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { Alarms, type StreamReader } from '../constructs/alarms.ts';
import type { CouponTable } from '../constructs/coupon-table.ts';
import type { RustFunction } from '../constructs/rust-function.ts';
import { SaleDashboard } from '../constructs/sale-dashboard.ts';
import type { WorkQueue } from '../constructs/work-queue.ts';

export interface ObservabilityStackProps extends StackProps {
  readonly config: StageConfig;
  readonly api: HttpApi;
  readonly functions: readonly RustFunction[];
  readonly queues: readonly WorkQueue[];
  readonly stream: StreamReader;
  readonly couponTable: CouponTable;
}

/** Who is told when something is wrong, and where to look. */
export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    const { config, api, functions, queues, stream, couponTable, ...stackProps } = props;
    super(scope, id, stackProps);

    const topic = new Topic(this, 'AlarmTopic', { enforceSSL: true });
    if (config.alarmEmail) topic.addSubscription(new EmailSubscription(config.alarmEmail));

    const alarms = new Alarms(this, 'Alarms', new SnsAction(topic));
    functions.forEach((fn) => {
      alarms.watchFunction(fn);
    });
    queues.forEach((queue) => {
      alarms.watchQueue(queue);
    });
    alarms.watchStream(stream);
    alarms.watchApi(api);
    alarms.watchTable(couponTable);
    // The local AWS has no metric math.
    if (config.stage !== 'local') alarms.watchTableFailures(couponTable);

    new SaleDashboard(this, 'Sale', { api, functions, queues, stream, table: couponTable });
    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn });
  }
}

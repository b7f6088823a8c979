import { type App, DefaultStackSynthesizer, Duration, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readConfig } from './config.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { ConfigStack } from './stacks/config-stack.ts';
import { CouponStack } from './stacks/coupon-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { IdentityStack } from './stacks/identity-stack.ts';
import { MarketingStack } from './stacks/marketing-stack.ts';
import { MessagingStack } from './stacks/messaging-stack.ts';
import { NotificationStack } from './stacks/notification-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';
import { SearchIndexStack } from './stacks/search-index-stack.ts';
import { SearchStack } from './stacks/search-stack.ts';
import { WebStack } from './stacks/web-stack.ts';

/** Adds every stack of the stage named by the app's context, and the rules they must pass. */
export function addFlashsale(app: App): void {
  const config = readConfig(app.node);
  const name = (stack: string) => `Flashsale-${config.stage}-${stack}`;
  const common = {
    config,
    // The local AWS was never bootstrapped by the CDK.
    synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: config.stage !== 'local' }),
  };

  const data = new DataStack(app, name('Data'), common);
  const { couponTable, jobBucket, exchangeKey, riskKey } = data;
  const { userPool } = new IdentityStack(app, name('Identity'), common);
  const messaging = new MessagingStack(app, name('Messaging'), common);
  const { mail } = messaging;
  const { riskPolicy, notificationChannels, searchRules } = new ConfigStack(app, name('Config'), {
    ...common,
    mail,
  });
  const coupon = new CouponStack(app, name('Coupon'), {
    ...common,
    couponTable,
    claimQueue: messaging.claims,
    notificationEventQueue: messaging.notificationEvents,
    riskPolicy,
    riskKey,
  });
  const marketing = new MarketingStack(app, name('Marketing'), {
    ...common,
    couponTable,
    jobBucket,
    userPool,
    grantQueue: messaging.grants,
    rewardQueue: messaging.rewards,
    codeQueue: messaging.codes,
    exchangeKey,
    riskPolicy,
    riskKey,
  });
  const notification = new NotificationStack(app, name('Notification'), {
    ...common,
    notificationTable: data.notificationTable,
    dispatchQueues: messaging.dispatch,
    eventQueue: messaging.notificationEvents,
    broadcastQueue: messaging.broadcasts,
    mailEventQueue: messaging.mailEvents,
    userPool,
    channels: notificationChannels,
    providerSecrets: data.providerSecrets,
    mail,
  });
  const searchIndex = new SearchIndexStack(app, name('SearchIndex'), common);
  const search = new SearchStack(app, name('Search'), {
    ...common,
    homestayTable: data.homestayTable,
    searchTable: data.searchTable,
    jobBucket,
    importQueue: messaging.homestayImports,
    reindexQueue: messaging.reindex,
    searchEventQueue: messaging.searchEvents,
    index: searchIndex.index,
    rules: searchRules,
  });
  const searchFunctions = { ...searchIndex.functions, ...search.functions };
  const couponFunctions = { ...coupon.functions, ...marketing.functions };
  const { api } = new ApiStack(app, name('Api'), {
    ...common,
    userPool,
    userPoolClient: userPool.client,
    functions: { ...couponFunctions, ...notification.functions, ...searchFunctions },
    claimQueue: messaging.claims,
  });
  // The local AWS serves the page itself.
  if (config.stage !== 'local') new WebStack(app, name('Web'), { ...common, apiUrl: api.url });
  new ObservabilityStack(app, name('Observability'), {
    ...common,
    api: api.httpApi,
    coupons: {
      functions: Object.values(couponFunctions),
      queues: messaging.couponQueues,
      stream: {
        fn: coupon.functions['count-coupon-facts'],
        deadLetters: coupon.uncounted,
        lagsAfter: Duration.minutes(5),
      },
      table: couponTable,
    },
    notifications: {
      functions: Object.values(notification.functions),
      queues: messaging.notificationQueues,
      stream: {
        fn: notification.functions['queue-notifications'],
        deadLetters: notification.unqueued,
        // As long as an urgent message may wait in its queue.
        lagsAfter: Duration.seconds(30),
      },
      table: data.notificationTable,
    },
    searches: {
      functions: Object.values(searchFunctions),
      queues: messaging.searchQueues,
      stream: {
        fn: search.functions['index-homestay'],
        deadLetters: search.unindexed,
        // Two seconds are promised; a batch that is tried again takes some more.
        lagsAfter: Duration.seconds(30),
      },
      table: data.homestayTable,
      searchTable: data.searchTable,
    },
  });

  Tags.of(app).add('application', 'flashsale');
  Tags.of(app).add('stage', config.stage);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

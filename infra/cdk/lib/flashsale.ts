import { type App, DefaultStackSynthesizer, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readConfig } from './config.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { ConfigStack } from './stacks/config-stack.ts';
import { CouponStack } from './stacks/coupon-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { IdentityStack } from './stacks/identity-stack.ts';
import { MarketingStack } from './stacks/marketing-stack.ts';
import { MessagingStack } from './stacks/messaging-stack.ts';
import { ObservabilityStack } from './stacks/observability-stack.ts';

/** Adds every stack of the stage named by the app's context, and the rules they must pass. */
export function addFlashsale(app: App): void {
  const config = readConfig(app.node);
  const name = (stack: string) => `Flashsale-${config.stage}-${stack}`;
  const common = {
    config,
    // The local AWS was never bootstrapped by the CDK.
    synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: config.stage !== 'local' }),
  };

  const { couponTable, jobBucket, exchangeKey, riskKey } = new DataStack(app, name('Data'), common);
  const { userPool } = new IdentityStack(app, name('Identity'), common);
  const messaging = new MessagingStack(app, name('Messaging'), common);
  const { riskPolicy } = new ConfigStack(app, name('Config'), common);
  const coupon = new CouponStack(app, name('Coupon'), {
    ...common,
    couponTable,
    claimQueue: messaging.claims,
    notificationQueue: messaging.notifications,
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
  const functions = { ...coupon.functions, ...marketing.functions };
  const { api } = new ApiStack(app, name('Api'), {
    ...common,
    userPool,
    userPoolClient: userPool.client,
    functions,
    claimQueue: messaging.claims,
  });
  new ObservabilityStack(app, name('Observability'), {
    ...common,
    api: api.httpApi,
    functions: Object.values(functions),
    queues: messaging.queues,
    stream: { fn: functions['count-coupon-facts'], deadLetters: coupon.uncounted },
    couponTable,
  });

  Tags.of(app).add('application', 'flashsale');
  Tags.of(app).add('stage', config.stage);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

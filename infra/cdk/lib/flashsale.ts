import { type App, DefaultStackSynthesizer, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readConfig } from './config.ts';
import { ApiStack } from './stacks/api-stack.ts';
import { CouponStack } from './stacks/coupon-stack.ts';
import { DataStack } from './stacks/data-stack.ts';
import { IdentityStack } from './stacks/identity-stack.ts';
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

  const data = new DataStack(app, name('Data'), common);
  const identity = new IdentityStack(app, name('Identity'), common);
  const coupon = new CouponStack(app, name('Coupon'), { ...common, couponTable: data.couponTable });
  const api = new ApiStack(app, name('Api'), {
    ...common,
    userPool: identity.userPool,
    userPoolClient: identity.userPool.client,
    functions: coupon.functions,
  });
  new ObservabilityStack(app, name('Observability'), {
    ...common,
    api: api.api.httpApi,
    functions: Object.values(coupon.functions),
    couponTable: data.couponTable,
  });

  Tags.of(app).add('application', 'flashsale');
  Tags.of(app).add('stage', config.stage);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { CouponApi, type CouponApiProps } from '../constructs/coupon-api.ts';

export interface ApiStackProps extends StackProps, CouponApiProps {}

/** The way in. */
export class ApiStack extends Stack {
  readonly api: CouponApi;

  constructor(
    scope: Construct,
    id: string,
    { config, userPool, userPoolClient, functions, claimQueue, ...props }: ApiStackProps,
  ) {
    super(scope, id, props);
    this.api = new CouponApi(this, 'Api', { config, userPool, userPoolClient, functions, claimQueue });
    new CfnOutput(this, 'ApiId', { value: this.api.httpApi.apiId });
    new CfnOutput(this, 'ApiUrl', { value: this.api.url });
    new CfnOutput(this, 'InternalApiArn', {
      description: 'Allow execute-api:Invoke on it to the services that use coupons',
      value: this.api.internalArn,
    });
    if (this.api.domain) {
      new CfnOutput(this, 'ApiDomainTarget', {
        description: 'Point a DNS alias for the custom domain here',
        value: this.api.domain.regionalDomainName,
      });
    }
  }
}

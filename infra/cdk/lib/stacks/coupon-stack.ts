import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { CouponTable } from '../constructs/coupon-table.ts';
import { RustFunction } from '../constructs/rust-function.ts';
import type { FunctionName } from '../functions.ts';

export interface CouponStackProps extends StackProps {
  readonly config: StageConfig;
  readonly couponTable: CouponTable;
}

/** The coupon functions, each with the permissions of its use case. */
export class CouponStack extends Stack {
  readonly functions: Readonly<Record<FunctionName, RustFunction>>;

  constructor(scope: Construct, id: string, { config, couponTable, ...props }: CouponStackProps) {
    super(scope, id, props);
    const environment = { COUPON_TABLE: couponTable.tableName };

    this.functions = {
      'claim-coupon': new RustFunction(this, 'ClaimCoupon', {
        config,
        name: 'claim-coupon',
        description: 'Claims a coupon for a guest, in one transaction',
        // CPU comes with memory: TLS handshakes of cold starts in the first second of a sale need it.
        memorySize: 512,
        // A claim that retried its conflicts for this long would meet a guest who has long pressed again.
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          couponTable.allowOnTemplates(
            'dynamodb:GetItem',
            'dynamodb:BatchGetItem',
            'dynamodb:UpdateItem',
            // Finishes a top-up that was left half-way.
            'dynamodb:PutItem',
          ),
          couponTable.allowOnGuests('dynamodb:Query', 'dynamodb:PutItem'),
        ],
      }),

      'list-coupon-templates': new RustFunction(this, 'ListCouponTemplates', {
        config,
        name: 'list-coupon-templates',
        description: 'Shows anyone the running and coming sales',
        // Waits for DynamoDB most of the time; half of a claim's CPU is enough.
        memorySize: 256,
        // A page and its stock are a handful of reads.
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          couponTable.allowOnTemplates('dynamodb:GetItem', 'dynamodb:BatchGetItem'),
          couponTable.allowListingTemplates(),
        ],
      }),

      'list-my-coupons': new RustFunction(this, 'ListMyCoupons', {
        config,
        name: 'list-my-coupons',
        description: "Shows a guest the guest's own coupons",
        // One query, no CPU to speak of.
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [couponTable.allowOnGuests('dynamodb:GetItem', 'dynamodb:Query')],
      }),

      'manage-coupon-templates': new RustFunction(this, 'ManageCouponTemplates', {
        config,
        name: 'manage-coupon-templates',
        description: 'Lets admins create and change coupon templates',
        memorySize: 256,
        // A top-up writes each of up to 2,048 stock shards, 32 at a time.
        timeout: Duration.seconds(20),
        p99Goal: Duration.seconds(5),
        environment,
        permissions: [
          couponTable.allowOnTemplates(
            'dynamodb:GetItem',
            'dynamodb:BatchGetItem',
            'dynamodb:PutItem',
            'dynamodb:UpdateItem',
          ),
          couponTable.allowListingTemplates(),
        ],
      }),
    };

    for (const fn of Object.values(this.functions)) {
      new CfnOutput(this, `${fn.node.id}FunctionName`, { value: fn.functionName });
      new CfnOutput(this, `${fn.node.id}LogGroup`, { value: fn.logGroup.logGroupName });
    }
  }
}

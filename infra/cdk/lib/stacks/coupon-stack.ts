import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { FilterRule } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { CouponTable } from '../constructs/coupon-table.ts';
import type { RiskPolicy } from '../constructs/risk-policy.ts';
import { outputNames, RustFunction } from '../constructs/rust-function.ts';
import type { SecretKey } from '../constructs/secret-key.ts';
import { followTable, ScheduledFunction, takeFrom } from '../constructs/triggers.ts';
import type { DeadLetterQueue, WorkQueue } from '../constructs/work-queue.ts';

export interface CouponStackProps extends StackProps {
  readonly config: StageConfig;
  readonly couponTable: CouponTable;
  readonly claimQueue: WorkQueue;
  readonly notificationEventQueue: WorkQueue;
  readonly riskPolicy: RiskPolicy;
  readonly riskKey: SecretKey;
}

/** A coupon from sale to end: claimed, shown, used, expired; each function with the permissions of its use case. */
export class CouponStack extends Stack {
  readonly functions;
  /** Changes of coupons that could not be counted. */
  readonly uncounted: DeadLetterQueue;

  constructor(scope: Construct, id: string, props: CouponStackProps) {
    const { config, couponTable, claimQueue, notificationEventQueue, ...others } = props;
    const { riskPolicy, riskKey, ...stackProps } = others;
    super(scope, id, stackProps);
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
        environment: {
          ...environment,
          RISK_POLICY: riskPolicy.location,
          RISK_KEY_SECRET: riskKey.secretArn,
        },
        permissions: [
          couponTable.allowTakingStock(),
          // GetItem: since when the guest has had an account, which the risk policy may ask for.
          couponTable.allowOn('USER#*', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'),
          couponTable.allowOn('CAMPAIGN#*', 'dynamodb:GetItem'),
          couponTable.allowOn('LIMIT#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          riskPolicy.allowReading(),
          riskKey.allowReading(),
        ],
      }),

      'claim-coupon-batch': new RustFunction(this, 'ClaimCouponBatch', {
        config,
        name: 'claim-coupon-batch',
        description: 'Claims coupons for the guests in the claim queue, many with one write to the stock',
        // A hundred coupons are written at once, each over a connection of its own.
        memorySize: 1024,
        timeout: claimQueue.handlerTimeout,
        p99Goal: Duration.seconds(5),
        environment,
        permissions: [
          couponTable.allowTakingStock(),
          couponTable.allowOn('USER#*', 'dynamodb:Query', 'dynamodb:PutItem'),
          couponTable.allowOn(
            'REQUEST#*',
            'dynamodb:PutItem',
            'dynamodb:BatchWriteItem',
            'dynamodb:UpdateItem',
          ),
        ],
      }),

      'show-claim': new RustFunction(this, 'ShowClaim', {
        config,
        name: 'show-claim',
        description: 'Tells a guest what became of a queued claim',
        memorySize: 256,
        // Two reads and the length of the queue.
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: { ...environment, CLAIM_QUEUE_URL: claimQueue.queueUrl },
        permissions: [
          couponTable.allowOn('REQUEST#*', 'dynamodb:GetItem'),
          couponTable.allowOn('USER#*', 'dynamodb:GetItem'),
          claimQueue.allow('sqs:GetQueueAttributes'),
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
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem', 'dynamodb:BatchGetItem'),
          couponTable.allowListing('TEMPLATES'),
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
        permissions: [couponTable.allowOn('USER#*', 'dynamodb:GetItem', 'dynamodb:Query')],
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
        permissions: [couponTable.allowTakingStock(), couponTable.allowListing('TEMPLATES')],
      }),

      'quote-coupons': new RustFunction(this, 'QuoteCoupons', {
        config,
        name: 'quote-coupons',
        description: "Tells which of a guest's coupons fit an order, and the best choice",
        // Weighs combinations of coupons, which is arithmetic.
        memorySize: 512,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          couponTable.allowOn('USER#*', 'dynamodb:Query'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem'),
        ],
      }),

      'use-coupon': new RustFunction(this, 'UseCoupon', {
        config,
        name: 'use-coupon',
        description: 'Locks, redeems, releases and refunds a coupon, each in one conditional write',
        // Stands in the way of a checkout, so it gets the CPU of a claim.
        memorySize: 512,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          // Looks for others that the order holds already.
          couponTable.allowOn('USER#*', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem'),
        ],
      }),

      'expire-coupons': new ScheduledFunction(this, 'ExpireCoupons', {
        config,
        name: 'expire-coupons',
        description: 'Ends coupons whose time is over',
        everyMinutes: 5,
        // One vCPU: a whole sale may expire in the same minute.
        memorySize: 1769,
        // The most there is; what it does not finish the next run does.
        timeout: Duration.minutes(15),
        p99Goal: Duration.minutes(10),
        environment,
        permissions: [
          couponTable.allowListingExpiring(),
          couponTable.allowOn('USER#*', 'dynamodb:UpdateItem'),
        ],
      }),

      'remind-expiring-coupons': new ScheduledFunction(this, 'RemindExpiringCoupons', {
        config,
        name: 'remind-expiring-coupons',
        description: 'Asks for a reminder to guests whose coupons end soon',
        everyMinutes: 10,
        memorySize: 512,
        // Ends before the next run begins.
        timeout: Duration.minutes(9),
        p99Goal: Duration.minutes(5),
        environment: { ...environment, NOTIFICATION_EVENT_QUEUE_URL: notificationEventQueue.queueUrl },
        permissions: [
          couponTable.allowListingExpiring(),
          couponTable.allowOn('USER#*', 'dynamodb:BatchGetItem'),
          couponTable.allowOn('EXPIRY#REMINDED', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          notificationEventQueue.allow('sqs:SendMessage'),
        ],
      }),

      'restock-coupons': new ScheduledFunction(this, 'RestockCoupons', {
        config,
        name: 'restock-coupons',
        description: 'Puts coupons that came back on sale again',
        everyMinutes: 1,
        memorySize: 256,
        // Ends before the next run begins.
        timeout: Duration.seconds(55),
        p99Goal: Duration.seconds(30),
        environment,
        permissions: [couponTable.allowChangingTemplates(), couponTable.allowListing('TEMPLATES')],
      }),

      'count-coupon-facts': new RustFunction(this, 'CountCouponFacts', {
        config,
        name: 'count-coupon-facts',
        description: 'Counts what happens to coupons, for reports and for stock that comes back',
        // A thousand changes with both images are a few megabytes of JSON.
        memorySize: 512,
        timeout: Duration.seconds(60),
        p99Goal: Duration.seconds(20),
        environment,
        permissions: [
          couponTable.allowOn('FACT#*', 'dynamodb:PutItem'),
          couponTable.allowOn('REPORT#*', 'dynamodb:UpdateItem'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:UpdateItem'),
        ],
      }),
    };

    takeFrom(claimQueue, this.functions['claim-coupon-batch'], {
      batchSize: 100,
      maxConcurrency: config.queuedClaimConcurrency,
    });
    this.uncounted = followTable(couponTable, this.functions['count-coupon-facts'], {
      of: 'Coupons',
      filter: { dynamodb: { Keys: { sk: { S: FilterRule.beginsWith('COUPON#') } } } },
      batchSize: 1000,
      // Each batch adds up to one write per report; nobody reads reports by the second.
      maxBatchingWindow: Duration.seconds(config.stage === 'local' ? 0 : 5),
      parallelism: config.streamParallelism,
    });
    outputNames(Object.values(this.functions));
  }
}

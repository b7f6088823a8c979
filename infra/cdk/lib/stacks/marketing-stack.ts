import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { IUserPool } from 'aws-cdk-lib/aws-cognito';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { CouponTable } from '../constructs/coupon-table.ts';
import type { JobBucket } from '../constructs/job-bucket.ts';
import type { RiskPolicy } from '../constructs/risk-policy.ts';
import { outputNames, RustFunction } from '../constructs/rust-function.ts';
import type { SecretKey } from '../constructs/secret-key.ts';
import { takeFrom } from '../constructs/triggers.ts';
import type { WorkQueue } from '../constructs/work-queue.ts';

export interface MarketingStackProps extends StackProps {
  readonly config: StageConfig;
  readonly couponTable: CouponTable;
  readonly jobBucket: JobBucket;
  readonly userPool: IUserPool;
  readonly grantQueue: WorkQueue;
  readonly rewardQueue: WorkQueue;
  readonly codeQueue: WorkQueue;
  readonly exchangeKey: SecretKey;
  readonly riskPolicy: RiskPolicy;
  readonly riskKey: SecretKey;
}

/** Coupons without a sale: granted, earned, exchanged for a code; campaigns and reports. */
export class MarketingStack extends Stack {
  readonly functions;

  constructor(scope: Construct, id: string, props: MarketingStackProps) {
    const { config, couponTable, jobBucket, userPool, ...others } = props;
    const { grantQueue, rewardQueue, codeQueue, exchangeKey, riskPolicy, riskKey, ...stackProps } = others;
    super(scope, id, stackProps);
    const environment = { COUPON_TABLE: couponTable.tableName };

    this.functions = {
      'manage-grants': new RustFunction(this, 'ManageGrants', {
        config,
        name: 'manage-grants',
        description: 'Lets admins give coupons to many guests, and see how far that is',
        memorySize: 256,
        // A report reads what every chunk noted.
        timeout: Duration.seconds(20),
        p99Goal: Duration.seconds(3),
        environment: {
          ...environment,
          JOB_BUCKET: jobBucket.bucketName,
          GRANT_QUEUE_URL: grantQueue.queueUrl,
        },
        permissions: [
          couponTable.allowOn('GRANT#*', ...READ_AND_WRITE, 'dynamodb:Query'),
          couponTable.allowOn('GRANTS', 'dynamodb:Query', 'dynamodb:PutItem'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem'),
          // Presigns: who uploads has the function's permissions for that one file.
          jobBucket.allowIn('uploads/*', 's3:PutObject', 's3:GetObject'),
          jobBucket.allowIn('grants/*', 's3:GetObject'),
          jobBucket.allowListing('uploads/*', 'grants/*'),
          grantQueue.allow('sqs:SendMessage'),
        ],
      }),

      'grant-coupons': new RustFunction(this, 'GrantCoupons', {
        config,
        name: 'grant-coupons',
        description: 'Works through a grant, one chunk of guests at a time',
        memorySize: 512,
        timeout: grantQueue.handlerTimeout,
        p99Goal: Duration.minutes(1),
        environment: {
          ...environment,
          JOB_BUCKET: jobBucket.bucketName,
          GRANT_QUEUE_URL: grantQueue.queueUrl,
          USER_POOL_ID: userPool.userPoolId,
        },
        permissions: [
          couponTable.allowOn('GRANT#*', ...READ_AND_WRITE),
          couponTable.allowTakingStock(),
          couponTable.allowOn('USER#*', 'dynamodb:Query', 'dynamodb:PutItem'),
          jobBucket.allowIn('uploads/*', 's3:GetObject'),
          jobBucket.allowIn('grants/*', 's3:GetObject', 's3:PutObject'),
          jobBucket.allowListing('uploads/*', 'grants/*'),
          // The next chunk.
          grantQueue.allow('sqs:SendMessage'),
          new PolicyStatement({
            effect: Effect.ALLOW,
            actions: ['cognito-idp:ListUsers', 'cognito-idp:ListUsersInGroup'],
            resources: [userPool.userPoolArn],
          }),
        ],
      }),

      'grant-coupons-on-event': new RustFunction(this, 'GrantCouponsOnEvent', {
        config,
        name: 'grant-coupons-on-event',
        description: 'Gives a guest the coupons that an event earns',
        memorySize: 256,
        timeout: rewardQueue.handlerTimeout,
        p99Goal: Duration.seconds(5),
        environment,
        permissions: [
          couponTable.allowTakingStock(),
          couponTable.allowListing('TEMPLATES'),
          couponTable.allowOn('USER#*', 'dynamodb:Query', 'dynamodb:PutItem'),
        ],
      }),

      'manage-exchange-codes': new RustFunction(this, 'ManageExchangeCodes', {
        config,
        name: 'manage-exchange-codes',
        description: 'Lets admins order batches of exchange codes, and download them',
        memorySize: 256,
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(2),
        environment: {
          ...environment,
          JOB_BUCKET: jobBucket.bucketName,
          CODE_QUEUE_URL: codeQueue.queueUrl,
        },
        permissions: [
          couponTable.allowOn('CODEBATCH#*', ...READ_AND_WRITE),
          // A template's batches are listed beside it, and their codes counted.
          couponTable.allowOn('TEMPLATE#*', ...READ_AND_WRITE, 'dynamodb:Query'),
          codeQueue.allow('sqs:SendMessage'),
          // Presigns: who downloads has the function's permissions for that one file.
          jobBucket.allowIn('codes/*', 's3:GetObject'),
        ],
      }),

      'export-exchange-codes': new RustFunction(this, 'ExportExchangeCodes', {
        config,
        name: 'export-exchange-codes',
        description: 'Writes the codes of a batch to a file',
        // Each code is an HMAC: CPU is what it waits for.
        memorySize: 1024,
        timeout: codeQueue.handlerTimeout,
        p99Goal: Duration.minutes(3),
        environment: {
          ...environment,
          JOB_BUCKET: jobBucket.bucketName,
          EXCHANGE_KEY_SECRET: exchangeKey.secretArn,
        },
        permissions: [
          couponTable.allowOn('CODEBATCH#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          jobBucket.allowIn('codes/*', 's3:PutObject', 's3:AbortMultipartUpload'),
          exchangeKey.allowReading(),
        ],
      }),

      'exchange-coupon': new RustFunction(this, 'ExchangeCoupon', {
        config,
        name: 'exchange-coupon',
        description: 'Gives a guest the coupon for an exchange code, once',
        memorySize: 512,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment: {
          ...environment,
          EXCHANGE_KEY_SECRET: exchangeKey.secretArn,
          RISK_POLICY: riskPolicy.location,
          RISK_KEY_SECRET: riskKey.secretArn,
        },
        permissions: [
          couponTable.allowTakingStock(),
          // GetItem: since when the guest has had an account, which the risk policy may ask for.
          couponTable.allowOn('USER#*', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'),
          couponTable.allowOn('CODE#*', 'dynamodb:PutItem'),
          couponTable.allowOn('CODEBATCH#*', 'dynamodb:GetItem'),
          couponTable.allowOn('LIMIT#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          exchangeKey.allowReading(),
          riskPolicy.allowReading(),
          riskKey.allowReading(),
        ],
      }),

      'manage-campaigns': new RustFunction(this, 'ManageCampaigns', {
        config,
        name: 'manage-campaigns',
        description: 'Lets admins group coupon templates into campaigns',
        memorySize: 256,
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(2),
        environment,
        permissions: [
          couponTable.allowOn('CAMPAIGN#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          couponTable.allowListing('CAMPAIGNS'),
          couponTable.allowChangingTemplates(),
        ],
      }),

      'list-campaigns': new RustFunction(this, 'ListCampaigns', {
        config,
        name: 'list-campaigns',
        description: 'Shows anyone the running and coming campaigns',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          couponTable.allowOn('CAMPAIGN#*', 'dynamodb:GetItem'),
          couponTable.allowListing('CAMPAIGNS'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem', 'dynamodb:BatchGetItem'),
        ],
      }),

      'show-coupon-report': new RustFunction(this, 'ShowCouponReport', {
        config,
        name: 'show-coupon-report',
        description: 'Shows admins what became of the coupons of a template or a campaign',
        memorySize: 256,
        // A long sale is thousands of hours and shards of counters.
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(3),
        environment,
        permissions: [
          couponTable.allowOn('REPORT#*', 'dynamodb:Query'),
          couponTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem'),
          couponTable.allowOn('CAMPAIGN#*', 'dynamodb:GetItem'),
        ],
      }),
    };

    jobBucket.acknowledgeFolders(this);
    // Batch work goes on beside a sale: its concurrency is what it may take from it.
    takeFrom(grantQueue, this.functions['grant-coupons'], { batchSize: 1, maxConcurrency: 10 });
    takeFrom(rewardQueue, this.functions['grant-coupons-on-event'], { batchSize: 10, maxConcurrency: 10 });
    takeFrom(codeQueue, this.functions['export-exchange-codes'], { batchSize: 1, maxConcurrency: 2 });
    outputNames(Object.values(this.functions));
  }
}

const READ_AND_WRITE = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'];

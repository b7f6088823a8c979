import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { CouponTable } from '../constructs/coupon-table.ts';
import { HomestayTable } from '../constructs/homestay-table.ts';
import { JobBucket } from '../constructs/job-bucket.ts';
import { NotificationTable } from '../constructs/notification-table.ts';
import { ProviderSecrets } from '../constructs/provider-secrets.ts';
import { SearchTable } from '../constructs/search-table.ts';
import { SecretKey } from '../constructs/secret-key.ts';

export interface DataStackProps extends StackProps {
  readonly config: StageConfig;
}

/** What must outlive every deployment of code. */
export class DataStack extends Stack {
  readonly couponTable: CouponTable;
  readonly notificationTable: NotificationTable;
  readonly homestayTable: HomestayTable;
  readonly searchTable: SearchTable;
  readonly jobBucket: JobBucket;
  /** Proves that an exchange code is one of ours. */
  readonly exchangeKey: SecretKey;
  /** Turns addresses and devices into what may be stored. */
  readonly riskKey: SecretKey;
  /** Opens the doors of those who send notifications for us. */
  readonly providerSecrets: ProviderSecrets;

  constructor(scope: Construct, id: string, { config, ...props }: DataStackProps) {
    super(scope, id, props);
    this.couponTable = new CouponTable(this, 'CouponTable', config);
    this.notificationTable = new NotificationTable(this, 'NotificationTable', config);
    this.homestayTable = new HomestayTable(this, 'HomestayTable', config);
    this.searchTable = new SearchTable(this, 'SearchTable', config);
    this.jobBucket = new JobBucket(this, 'JobBucket', config);
    this.exchangeKey = new SecretKey(this, 'ExchangeKey', {
      config,
      description: 'Key of the exchange codes',
      whyNeverRotated: 'Every code that was ever printed is checked with it.',
    });
    this.riskKey = new SecretKey(this, 'RiskKey', {
      config,
      description: 'Key under which addresses and devices are counted',
      whyNeverRotated: 'Rotating it would reset every rate limit; it guards counters that live for hours.',
    });
    this.providerSecrets = new ProviderSecrets(this, 'ProviderSecrets', config);
    new CfnOutput(this, 'CouponTableName', { value: this.couponTable.tableName });
    new CfnOutput(this, 'NotificationTableName', { value: this.notificationTable.tableName });
    new CfnOutput(this, 'HomestayTableName', { value: this.homestayTable.tableName });
    new CfnOutput(this, 'SearchTableName', { value: this.searchTable.tableName });
    new CfnOutput(this, 'JobBucketName', { value: this.jobBucket.bucketName });
    new CfnOutput(this, 'ProviderSecretsArn', {
      description: 'Put the keys to the providers of notifications here: {"<provider>": {…}}',
      value: this.providerSecrets.secretArn,
    });
  }
}

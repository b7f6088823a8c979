import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { CouponTable } from '../constructs/coupon-table.ts';

export interface DataStackProps extends StackProps {
  readonly config: StageConfig;
}

/** What must outlive every deployment of code. */
export class DataStack extends Stack {
  readonly couponTable: CouponTable;

  constructor(scope: Construct, id: string, { config, ...props }: DataStackProps) {
    super(scope, id, props);
    this.couponTable = new CouponTable(this, 'CouponTable', config);
    new CfnOutput(this, 'CouponTableName', { value: this.couponTable.tableName });
  }
}

import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  type GlobalSecondaryIndexPropsV2,
  StreamViewType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig, WarmThroughput } from '../config.ts';

export interface ServiceTableProps {
  readonly config: StageConfig;
  readonly indexes: GlobalSecondaryIndexPropsV2[];
  readonly warmThroughput?: WarmThroughput;
  /** Whether others learn of what changes; they do unless told otherwise. */
  readonly streamed?: boolean;
  /** Whether it can be put back to any moment of the last 35 days; it can unless told otherwise. */
  readonly recoverable?: boolean;
}

/**
 * All that a service knows, in one table; hands out permissions by kind of item, which the pattern `Items` of their
 * partition keys tells.
 */
export class ServiceTable<Items extends string> extends TableV2 {
  constructor(
    scope: Construct,
    id: string,
    { config, indexes, warmThroughput, streamed, recoverable = true }: ServiceTableProps,
  ) {
    super(scope, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      warmThroughput,
      globalSecondaryIndexes: indexes,
      timeToLiveAttribute: 'ttl',
      // The outbox: the change of an item is the fact that others learn of.
      dynamoStream: streamed === false ? undefined : StreamViewType.NEW_AND_OLD_IMAGES,
      // The key DynamoDB owns: encryption without a KMS request per access.
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: recoverable },
      deletionProtection: config.protectData,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  allowOn(items: Items, ...actions: string[]): PolicyStatement {
    return this.allow(actions, this.tableArn, items);
  }

  /** Every item, whatever its key: a scan has no keys that a condition could look at. */
  protected allowScanning(...actions: string[]): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['dynamodb:Scan', ...actions],
      resources: [this.tableArn],
    });
  }

  protected allowQuerying(index: string, keys: string): PolicyStatement {
    return this.allow(['dynamodb:Query'], `${this.tableArn}/index/${index}`, keys);
  }

  private allow(actions: string[], resource: string, leadingKey: string): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions,
      resources: [resource],
      conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [leadingKey] } },
    });
  }
}

import { RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  Billing,
  ProjectionType,
  StreamViewType,
  TableEncryptionV2,
  TableV2,
} from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

const TEMPLATES_BY_END = 'templates-by-end';

/** Coupon templates, their stock and the guests' coupons; hands out permissions by kind of item. */
export class CouponTable extends TableV2 {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      warmThroughput: config.warmThroughput,
      // Only templates carry the index's keys, so a claim writes nothing to it.
      globalSecondaryIndexes: [
        {
          indexName: TEMPLATES_BY_END,
          partitionKey: { name: 'listPk', type: AttributeType.STRING },
          sortKey: { name: 'listSk', type: AttributeType.STRING },
          projectionType: ProjectionType.ALL,
        },
      ],
      timeToLiveAttribute: 'ttl',
      dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
      // The key DynamoDB owns: encryption without a KMS request per access.
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: config.protectData,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  /** Templates and their stock shards. */
  allowOnTemplates(...actions: string[]): PolicyStatement {
    return this.allow(actions, this.tableArn, 'TEMPLATE#*');
  }

  /** Guests' coupons. IAM cannot tell guests apart here: the function takes the guest from the token. */
  allowOnGuests(...actions: string[]): PolicyStatement {
    return this.allow(actions, this.tableArn, 'USER#*');
  }

  allowListingTemplates(): PolicyStatement {
    return this.allow(['dynamodb:Query'], `${this.tableArn}/index/${TEMPLATES_BY_END}`, 'TEMPLATES');
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

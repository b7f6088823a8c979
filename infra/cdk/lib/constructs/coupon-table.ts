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
const COUPONS_BY_EXPIRY = 'coupons-by-expiry';

/** Kinds of items, by the pattern of their partition keys. */
export type Items =
  /** Templates, their stock shards, and what came back. */
  | 'TEMPLATE#*'
  /** Guests' coupons. IAM cannot tell guests apart here: the function takes the guest from the token. */
  | 'USER#*'
  /** Outcomes of queued claims. */
  | 'REQUEST#*'
  | 'CAMPAIGN#*'
  /** Grants with their chunks, and the list of them. */
  | 'GRANT#*'
  | 'GRANTS'
  /** Batches of exchange codes, and the mark of each code used. */
  | 'CODEBATCH#*'
  | 'CODE#*'
  /** Until when guests were reminded. */
  | 'EXPIRY#REMINDED'
  /** Hours of reports, and which facts are in them. */
  | 'REPORT#*'
  | 'FACT#*'
  /** Counters of rate limits. */
  | 'LIMIT#*';

/** All that the coupon service knows; hands out permissions by kind of item. */
export class CouponTable extends TableV2 {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      warmThroughput: config.warmThroughput,
      globalSecondaryIndexes: [
        {
          // Only templates and campaigns carry its keys.
          indexName: TEMPLATES_BY_END,
          partitionKey: { name: 'listPk', type: AttributeType.STRING },
          sortKey: { name: 'listSk', type: AttributeType.STRING },
          projectionType: ProjectionType.ALL,
        },
        {
          // Only coupons that can still expire carry its keys; who reads it goes on to the coupon itself.
          indexName: COUPONS_BY_EXPIRY,
          partitionKey: { name: 'expiryShard', type: AttributeType.STRING },
          sortKey: { name: 'expiresAt', type: AttributeType.NUMBER },
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
      timeToLiveAttribute: 'ttl',
      // The outbox: the change of a coupon is the fact that others learn of.
      dynamoStream: StreamViewType.NEW_AND_OLD_IMAGES,
      // The key DynamoDB owns: encryption without a KMS request per access.
      encryption: TableEncryptionV2.dynamoOwnedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: config.protectData,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
  }

  allowOn(items: Items, ...actions: string[]): PolicyStatement {
    return this.allow(actions, this.tableArn, items);
  }

  /** To issue coupons of a template: to take from its shards, and to finish a top-up that was left half-way. */
  allowTakingStock(): PolicyStatement {
    return this.allowOn(
      'TEMPLATE#*',
      'dynamodb:GetItem',
      'dynamodb:BatchGetItem',
      'dynamodb:UpdateItem',
      'dynamodb:PutItem',
    );
  }

  /** To change a template, and to raise its shards. */
  allowChangingTemplates(): PolicyStatement {
    return this.allowOn('TEMPLATE#*', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem');
  }

  /** Templates or campaigns, by their end. */
  allowListing(list: 'TEMPLATES' | 'CAMPAIGNS'): PolicyStatement {
    return this.allow(['dynamodb:Query'], `${this.tableArn}/index/${TEMPLATES_BY_END}`, list);
  }

  allowListingExpiring(): PolicyStatement {
    return this.allow(['dynamodb:Query'], `${this.tableArn}/index/${COUPONS_BY_EXPIRY}`, 'EXPIRY#*');
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

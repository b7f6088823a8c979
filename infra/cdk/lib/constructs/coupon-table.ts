import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { ServiceTable } from './service-table.ts';

const TEMPLATES_BY_END = 'templates-by-end';
const COUPONS_BY_EXPIRY = 'coupons-by-expiry';

/** Kinds of items, by the pattern of their partition keys. */
export type CouponItems =
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

/** All that the coupon service knows. */
export class CouponTable extends ServiceTable<CouponItems> {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      config,
      warmThroughput: config.warmThroughput,
      indexes: [
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
    });
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
    return this.allowQuerying(TEMPLATES_BY_END, list);
  }

  allowListingExpiring(): PolicyStatement {
    return this.allowQuerying(COUPONS_BY_EXPIRY, 'EXPIRY#*');
  }
}

import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { ServiceTable } from './service-table.ts';

const HOMESTAYS_BY_HOST = 'homestays-by-host';
const JOBS_BY_START = 'jobs-by-start';

/** Kinds of items, by the pattern of their partition keys. */
export type HomestayItems =
  /** Homestays, with a mark of each that was deleted. IAM cannot tell hosts apart here: the function takes the host from the token. */
  | 'HOMESTAY#*'
  /** Jobs that import files, and the requests that started them. */
  | 'IMPORT#*'
  /** Rebuilds of the index and comparisons with it, the requests for them, and which are running. */
  | 'REBUILD#*';

/** All homestays: the truth of which the index is a copy. */
export class HomestayTable extends ServiceTable<HomestayItems> {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      config,
      indexes: [
        {
          // Only homestays that were not deleted carry its keys.
          indexName: HOMESTAYS_BY_HOST,
          partitionKey: { name: 'hostPk', type: AttributeType.STRING },
          sortKey: { name: 'createdAt', type: AttributeType.NUMBER },
          projectionType: ProjectionType.ALL,
        },
        {
          // Only jobs carry its keys.
          indexName: JOBS_BY_START,
          partitionKey: { name: 'listPk', type: AttributeType.STRING },
          sortKey: { name: 'listSk', type: AttributeType.STRING },
          projectionType: ProjectionType.ALL,
        },
      ],
    });
  }

  allowListingByHost(): PolicyStatement {
    return this.allowQuerying(HOMESTAYS_BY_HOST, 'HOST#*');
  }

  allowListingImports(): PolicyStatement {
    return this.allowQuerying(JOBS_BY_START, 'IMPORTS');
  }

  /** Rebuilds of the index, and comparisons of it with the table. */
  allowListingRebuilds(): PolicyStatement[] {
    return ['REBUILDS', 'RECONCILIATIONS'].map((list) => this.allowQuerying(JOBS_BY_START, list));
  }

  /** To put every homestay into an index: there is no key by which all of them could be queried. Also how many there are. */
  allowReadingAll(): PolicyStatement {
    return this.allowScanning('dynamodb:DescribeTable');
  }
}

import { AttributeType, ProjectionType } from 'aws-cdk-lib/aws-dynamodb';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { ServiceTable } from './service-table.ts';

const MESSAGES_BY_RECEIVER = 'messages-by-receiver';
const MESSAGES_BY_DUE = 'messages-by-due';

/** Kinds of items, by the pattern of their partition keys. */
export type NotificationItems =
  | 'MESSAGE#*'
  /** Messages that go out as one. */
  | 'DIGEST#*'
  /** Templates, and the versions of each. */
  | 'TEMPLATES'
  | 'TEMPLATE#*'
  /** Rules that turn events into messages. */
  | 'RULES'
  /** Where guests are reached, and what they want. IAM cannot tell guests apart here: the function takes the guest from the token. */
  | 'GUEST#*'
  /** Whose a device is. */
  | 'ENDPOINT#*'
  | 'INBOX#*'
  /** Addresses to which nothing is sent. */
  | 'SUPPRESSED#*'
  /** Broadcasts, and the list of them. */
  | 'BROADCAST#*'
  | 'BROADCASTS'
  /** What providers call messages. */
  | 'REFERENCE#*'
  /** Messages to a guest in a day, calls of a provider in a second. */
  | 'LIMIT#*'
  /** Access tokens of providers that all environments share. */
  | 'TOKEN#*';

/** All that the notification service knows. */
export class NotificationTable extends ServiceTable<NotificationItems> {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      config,
      // Keys alone: who reads them goes on to the messages. A change of a message's status touches none of them.
      indexes: [
        {
          indexName: MESSAGES_BY_RECEIVER,
          partitionKey: { name: 'receiver', type: AttributeType.STRING },
          sortKey: { name: 'acceptedAt', type: AttributeType.NUMBER },
          projectionType: ProjectionType.KEYS_ONLY,
        },
        {
          // Only messages that wait in the table carry its keys.
          indexName: MESSAGES_BY_DUE,
          partitionKey: { name: 'dueShard', type: AttributeType.STRING },
          sortKey: { name: 'dueAt', type: AttributeType.NUMBER },
          projectionType: ProjectionType.KEYS_ONLY,
        },
      ],
    });
  }

  /** Of whichever receiver: they are guests and addresses alike, and have no pattern. */
  allowListingByReceiver(): PolicyStatement {
    return this.allowQuerying(MESSAGES_BY_RECEIVER, '*');
  }

  allowListingDue(): PolicyStatement {
    return this.allowQuerying(MESSAGES_BY_DUE, 'DUE#*');
  }

  /** To know what a message says: the template as it is now, and the version a message was accepted with. */
  allowReadingTemplates(): PolicyStatement[] {
    return [this.allowOn('TEMPLATES', 'dynamodb:GetItem'), this.allowOn('TEMPLATE#*', 'dynamodb:GetItem')];
  }
}

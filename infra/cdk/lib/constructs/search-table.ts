import { Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { ServiceTable } from './service-table.ts';

/** Kinds of items, by the pattern of their partition keys. */
export type SearchItems =
  /** What a guest searched for. IAM cannot tell guests apart here: the function takes the guest from the token. */
  | 'HISTORY#*'
  /** The popular queries, as ranked last. */
  | 'HOT'
  /** What was searched for and opened in an hour, event by event, for some days. */
  | 'FACTS#*'
  /** By which searchers are told apart for a day, and nobody knows them afterwards. */
  | 'SALT'
  /** Hours that are to be counted again. */
  | 'LATE'
  /** What was counted: hours of a day, votes for popular queries, days. */
  | 'HOURS#*'
  | 'VOTES'
  | 'DAYS';

/** What people search for. Nobody follows its changes, so that it has no stream. */
export class SearchTable extends ServiceTable<SearchItems> {
  constructor(scope: Construct, id: string, config: StageConfig) {
    // A backup would keep the salts of days that are over, and with them searchers could be found out again.
    super(scope, id, { config, indexes: [], streamed: false, recoverable: false });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason: 'What people search for is counted anew every day, and its salts must not outlive theirs.',
    });
  }
}

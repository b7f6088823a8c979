import { Duration } from 'aws-cdk-lib';
import { Dashboard, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import {
  counted,
  countedBy,
  deadLetters,
  functionLatency,
  functionRow,
  graph,
  measured,
  queueRow,
  searched,
  streamLag,
  tableUse,
  type Watched,
} from './widgets.ts';

export interface WatchedSearches extends Watched {
  /** Beside the table of what is searched, that of what is searched for. */
  readonly searchTable: TableV2;
}

/** What one looks at when guests do not find what there is: how they search, how long it takes, how far the index lags. */
export class SearchDashboard extends Construct {
  constructor(scope: Construct, id: string, props: WatchedSearches) {
    super(scope, id);
    const { functions, queues, stream, table, searchTable } = props;
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });
    const search = 'search-homestays';

    dashboard.addWidgets(
      graph('Searches, by how much of the keyword is matched', [countedBy('matching', 'Searches', search)]),
      graph('Searches that found nothing, or another spelling', [
        counted(search, 'SearchesWithoutResult', 'nothing'),
        counted(search, 'SearchesCorrected', 'another spelling'),
      ]),
      graph('Searches that were not counted, by reason', [
        countedBy('reason', 'SearchesNotRecorded', search),
      ]),
    );
    dashboard.addWidgets(
      graph('Milliseconds until the index answers, p99', [searched('call', 'IndexMs', 'p99', search)]),
      graph('Calls of the index that failed', [countedBy('call', 'IndexFailures', search)]),
      graph('Calls of the index for a search', [
        measured(search, 'SearchIndexCalls', 'p50', Stats.p(50)),
        measured(search, 'SearchIndexCalls', 'p99', Stats.p(99)),
      ]),
    );
    dashboard.addWidgets(
      graph('Changes of homestays: milliseconds until found', [
        measured('index-homestay', 'IndexLagMs', 'p50', Stats.p(50)),
        measured('index-homestay', 'IndexLagMs', 'p99', Stats.p(99)),
      ]),
      streamLag('Changes of homestays: milliseconds behind the table', stream),
      graph('Homestays indexed, and changes that came late', [
        counted('index-homestay', 'HomestaysIndexed', 'indexed'),
        counted('index-homestay', 'HomestaysOutdated', 'late'),
      ]),
    );
    dashboard.addWidgets(
      graph('Homestays repaired in the index, by job', [countedBy('job', 'IndexRepaired')]),
      graph('Homestays imported, by outcome', [countedBy('outcome', 'HomestaysImported')]),
      graph('Completions that lack something', [
        counted('suggest-homestays', 'SuggestionsIncomplete', 'incomplete'),
      ]),
    );
    dashboard.addWidgets(
      deadLetters(props),
      graph('Records of batches that failed, by reason', [countedBy('reason', 'RecordsFailed')]),
      graph('Search events', [
        counted('count-searches', 'SearchEventsKept', 'kept'),
        countedBy('reason', 'SearchEventsIgnored'),
      ]),
    );
    dashboard.addWidgets(...queueRow(queues));
    dashboard.addWidgets(functionLatency(functions), ...functionRow(functions));
    dashboard.addWidgets(tableUse(table), tableUse(searchTable));
  }
}

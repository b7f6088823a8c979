import type { Duration } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Operation, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { MINUTE, ownMetric } from './metrics.ts';
import type { RustFunction } from './rust-function.ts';
import type { DeadLetterQueue, WorkQueue } from './work-queue.ts';

/** Operations the functions use; DynamoDB counts its own failures per operation only. */
const OPERATIONS = [
  Operation.GET_ITEM,
  Operation.BATCH_GET_ITEM,
  Operation.QUERY,
  Operation.PUT_ITEM,
  Operation.UPDATE_ITEM,
  Operation.BATCH_WRITE_ITEM,
  Operation.TRANSACT_WRITE_ITEMS,
];

interface AlarmSpec {
  readonly metric: IMetric;
  /** The alarm fires at this value and above. */
  readonly threshold: number;
  /** Minutes out of five that must be bad. */
  readonly badMinutes: number;
  readonly description: string;
}

export interface StreamReader {
  readonly fn: RustFunction;
  readonly deadLetters: DeadLetterQueue;
  /** How far it may fall behind the table before someone is told. */
  readonly lagsAfter: Duration;
}

/** Calls of a provider in a minute below which a share says nothing. */
const ENOUGH_CALLS = 20;

/** Searches in a minute below which a share says nothing. */
const ENOUGH_SEARCHES = 50;

/** How much of the keyword what was found matches, as `search-homestays` counts it. */
const MATCHINGS = ['all', 'most', 'any'];

/** What the service promises: never early, at most a minute late. */
const TOO_LATE_MS = 60_000;

/** What came of a call, as `dispatch-notification` counts it. */
const OUTCOMES = ['accepted', 'retry', 'fail_over', 'give_up', 'suppress', 'unknown'];

/** Each alarm says what is wrong for whom, and where to look first. */
export class Alarms extends Construct {
  constructor(
    scope: Construct,
    id: string,
    private readonly action: IAlarmAction,
  ) {
    super(scope, id);
  }

  watchFunction(fn: RustFunction): void {
    // Refusals are answers, so a function error is a defect, a time-out or a crash.
    this.add(`${fn.node.id}Errors`, {
      metric: fn.metricErrors({ period: MINUTE }),
      threshold: 1,
      badMinutes: 1,
      description: `${fn.name} fails: read its log for level ERROR`,
    });
    this.add(`${fn.node.id}Throttles`, {
      metric: fn.metricThrottles({ period: MINUTE }),
      threshold: 1,
      badMinutes: 2,
      description: `${fn.name} is throttled: raise its reserved concurrency or the account's`,
    });
    this.add(`${fn.node.id}P99`, {
      metric: fn.metricDuration({ period: MINUTE, statistic: Stats.p(99) }),
      threshold: fn.p99Goal.toMilliseconds(),
      badMinutes: 3,
      description: `${fn.name} is slow: look at its traces and at conflicts and throttles of the table`,
    });
    if (fn.deadLetterQueue) this.watchDeadLetters(fn.node.id, fn.name, fn.deadLetterQueue);
  }

  watchQueue(queue: WorkQueue): void {
    this.watchDeadLetters(queue.node.id, queue.title, queue.deadLetters);
    this.add(`${queue.node.id}Age`, {
      metric: queue.metricApproximateAgeOfOldestMessage({ period: MINUTE, statistic: Stats.MAXIMUM }),
      threshold: queue.staleAfter.toSeconds(),
      badMinutes: 3,
      description: `What is in the ${queue.title} waits too long: raise the concurrency of the function that takes it`,
    });
  }

  /** A function that follows a table's stream. */
  watchStream({ fn, deadLetters, lagsAfter }: StreamReader): void {
    this.watchDeadLetters(fn.node.id, fn.name, deadLetters);
    this.add(`${fn.node.id}IteratorAge`, {
      metric: fn.metric('IteratorAge', { period: MINUTE, statistic: Stats.MAXIMUM }),
      threshold: lagsAfter.toMilliseconds(),
      badMinutes: 3,
      description: `${fn.name} lags behind its table, and all that follows is late: raise streamParallelism`,
    });
  }

  watchApi(api: HttpApi): void {
    // Each request counts 0 or 1, so the average is the share of failures.
    this.add('Api5xx', {
      metric: api.metricServerError({ period: MINUTE, statistic: Stats.AVERAGE }),
      threshold: 0.01,
      badMinutes: 2,
      description: 'More than 1 % of requests end in 5xx: the access log tells the routes',
    });
    this.add('ApiP99', {
      metric: api.metricLatency({ period: MINUTE, statistic: Stats.p(99) }),
      threshold: 1000,
      badMinutes: 3,
      description: 'One request in a hundred takes longer than a second: the access log tells the routes',
    });
  }

  watchTable(table: TableV2): void {
    for (const [direction, metricName] of [
      ['Read', 'ReadThrottleEvents'],
      ['Write', 'WriteThrottleEvents'],
    ] as const) {
      this.add(`${table.node.id}${direction}Throttles`, {
        metric: table.metric(metricName, { period: MINUTE, statistic: Stats.SUM }),
        threshold: 1,
        badMinutes: 2,
        description: `DynamoDB throttles ${direction.toLowerCase()}s of the ${table.node.id}: a hot key, or a sale without warm throughput`,
      });
    }
  }

  /** Adds up metrics of several operations, which takes metric math. */
  watchTableFailures(table: TableV2): void {
    this.add(`${table.node.id}SystemErrors`, {
      metric: table.metricSystemErrorsForOperations({ operations: OPERATIONS, period: MINUTE }),
      threshold: 1,
      badMinutes: 2,
      description:
        'DynamoDB itself fails: see the AWS health dashboard; requests answer 503 and can be repeated',
    });
  }

  /** Messages that had a time, and were queued after it. */
  watchLateness(): void {
    this.add('NotificationsLate', {
      metric: ownMetric('schedule-notifications', 'NotificationsLateMs', { statistic: Stats.MAXIMUM }),
      threshold: TOO_LATE_MS,
      badMinutes: 1,
      description:
        'Scheduled messages are queued more than a minute late: see whether schedule-notifications runs',
    });
  }

  /** That a provider fails so often that messages go to another, if there is one. */
  watchProviderLeftAlone(provider: string): void {
    this.add(`${idOf(provider)}LeftAlone`, {
      metric: ownMetric('dispatch-notification', 'ProviderLeftAlone', { dimensions: { provider } }),
      threshold: 1,
      badMinutes: 2,
      description: `The provider ${provider} fails, and is left alone: see its status page, or put another before it`,
    });
  }

  /** The share of calls that failed by the provider's fault, which takes metric math. */
  watchProviderFailures(provider: string): void {
    const calls = (outcome: string) =>
      ownMetric('dispatch-notification', 'ProviderCalls', { dimensions: { provider, outcome } });
    const failed = 'FILL(retry, 0) + FILL(fail_over, 0) + FILL(unknown, 0)';
    // What it refused for the message's sake, it did rightly.
    const handled = 'FILL(accepted, 0) + FILL(give_up, 0) + FILL(suppress, 0)';
    this.add(`${idOf(provider)}Failures`, {
      metric: new MathExpression({
        expression: `IF(${failed} + ${handled} >= ${ENOUGH_CALLS}, (${failed}) / (${failed} + ${handled}), 0)`,
        usingMetrics: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, calls(outcome)])),
        label: `share of calls of ${provider} that failed`,
        period: MINUTE,
      }),
      threshold: 0.2,
      badMinutes: 3,
      description: `One call of the provider ${provider} in five fails: see its status page, and the log by provider`,
    });
  }

  /** Guests are told to try again, and the API does not say which part failed. */
  watchIndexFailures(): void {
    this.add('SearchIndexFailures', {
      metric: ownMetric('search-homestays', 'IndexFailures', { dimensions: { call: 'search' } }),
      threshold: 5,
      badMinutes: 2,
      description: 'The index of homestays does not answer: see the log of search-homestays, and where it is',
    });
  }

  /** Two seconds are promised from a write until it is found. */
  watchIndexLag(): void {
    this.add('IndexLag', {
      metric: ownMetric('index-homestay', 'IndexLagMs', { statistic: Stats.p(99) }),
      threshold: 5000,
      badMinutes: 3,
      description:
        'Changes of homestays are found seconds late: see IndexMs and how many wait for the one writer',
    });
  }

  /** Of a rebuild, and of the comparison with the table that mends what was missed. */
  watchIndexJobs(): void {
    for (const job of ['rebuild', 'reconciliation']) {
      this.add(`IndexJob${job}Failed`, {
        metric: ownMetric('reindex-homestays', 'IndexJobsFailed', { dimensions: { job } }),
        threshold: 1,
        badMinutes: 1,
        description: `A ${job} of the index failed: GET /v1/admin/search-index says why`,
      });
    }
  }

  /** Guests are shown what is left: places without titles, or titles without places. */
  watchSuggestions(): void {
    this.add('SuggestionsIncomplete', {
      metric: ownMetric('suggest-homestays', 'SuggestionsIncomplete'),
      threshold: 10,
      badMinutes: 3,
      description: 'Completions lack titles or popular queries: see the log of suggest-homestays',
    });
  }

  /** The share of searches that found nothing, which takes metric math. */
  watchFruitlessSearches(): void {
    const searches = (matching: string) =>
      ownMetric('search-homestays', 'Searches', { dimensions: { matching } });
    const all = MATCHINGS.map((matching) => `FILL(${matching}, 0)`).join(' + ');
    this.add('FruitlessSearches', {
      metric: new MathExpression({
        expression: `IF(${all} >= ${ENOUGH_SEARCHES}, FILL(nothing, 0) / (${all}), 0)`,
        usingMetrics: {
          nothing: ownMetric('search-homestays', 'SearchesWithoutResult'),
          ...Object.fromEntries(MATCHINGS.map((matching) => [matching, searches(matching)])),
        },
        label: 'share of searches that found nothing',
        period: MINUTE,
      }),
      threshold: 0.2,
      badMinutes: 3,
      description: 'One search in five finds nothing: see whether the index is empty, and the search report',
    });
  }

  private watchDeadLetters(id: string, whose: string, queue: IQueue): void {
    this.add(`${id}DeadLetters`, {
      metric: queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: Stats.MAXIMUM }),
      threshold: 1,
      badMinutes: 1,
      description: `Dead letters of ${whose}: read them, repair, then redrive`,
    });
  }

  private add(id: string, { metric, threshold, badMinutes, description }: AlarmSpec): void {
    const alarm = new Alarm(this, id, {
      metric,
      threshold,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 5,
      datapointsToAlarm: badMinutes,
      // No traffic is no failure.
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: description,
    });
    alarm.addAlarmAction(this.action);
    alarm.addOkAction(this.action);
  }
}

/** `WechatMiniProvider` of `wechat_mini`. */
function idOf(provider: string): string {
  const words = provider.split('_').map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
  return `${words.join('')}Provider`;
}

import { Duration } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type IMetric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Operation, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { RustFunction } from './rust-function.ts';
import type { DeadLetterQueue, WorkQueue } from './work-queue.ts';

const MINUTE = Duration.minutes(1);

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
}

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
    if (queue.staleAfter) {
      this.add(`${queue.node.id}Age`, {
        metric: queue.metricApproximateAgeOfOldestMessage({ period: MINUTE, statistic: Stats.MAXIMUM }),
        threshold: queue.staleAfter.toSeconds(),
        badMinutes: 3,
        description: `What is in the ${queue.title} waits too long: raise the concurrency of the function that takes it`,
      });
    }
  }

  /** A function that follows the table's stream. */
  watchStream({ fn, deadLetters }: StreamReader): void {
    this.watchDeadLetters(fn.node.id, fn.name, deadLetters);
    this.add(`${fn.node.id}IteratorAge`, {
      metric: fn.metric('IteratorAge', { period: MINUTE, statistic: Stats.MAXIMUM }),
      threshold: Duration.minutes(5).toMilliseconds(),
      badMinutes: 3,
      description: `${fn.name} lags behind the table: reports and restocking are late; raise streamParallelism`,
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
      this.add(`Table${direction}Throttles`, {
        metric: table.metric(metricName, { period: MINUTE, statistic: Stats.SUM }),
        threshold: 1,
        badMinutes: 2,
        description: `DynamoDB throttles ${direction.toLowerCase()}s: a hot key, or a sale without warm throughput`,
      });
    }
  }

  /** Adds up metrics of several operations, which takes metric math. */
  watchTableFailures(table: TableV2): void {
    this.add('TableSystemErrors', {
      metric: table.metricSystemErrorsForOperations({ operations: OPERATIONS, period: MINUTE }),
      threshold: 1,
      badMinutes: 2,
      description:
        'DynamoDB itself fails: see the AWS health dashboard; claims answer 503 and can be repeated',
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

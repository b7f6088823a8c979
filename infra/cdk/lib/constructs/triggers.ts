import { Duration } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, FilterCriteria, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDlq, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import type { Construct } from 'constructs';
import { RustFunction, type RustFunctionProps } from './rust-function.ts';
import { DeadLetterQueue, type WorkQueue } from './work-queue.ts';

/** SQS gives out this many at once without waiting for more. */
const LARGEST_IMMEDIATE_BATCH = 10;

export interface QueueTriggerProps {
  readonly batchSize: number;
  /** Batches under way at once: bounds the load on the table, and what a backlog takes from the account's pool. */
  readonly maxConcurrency: number;
}

/** Gives the messages of a queue to a function, which says which of them failed. */
export function takeFrom(queue: WorkQueue, fn: RustFunction, props: QueueTriggerProps): void {
  if (fn.timeout?.toSeconds() !== queue.handlerTimeout.toSeconds()) {
    throw new Error(`${fn.name} must have the time-out that its queue reckons with`);
  }
  fn.addEventSource(
    new SqsEventSource(queue, {
      batchSize: props.batchSize,
      maxBatchingWindow: props.batchSize > LARGEST_IMMEDIATE_BATCH ? queue.batchingWindow : undefined,
      maxConcurrency: props.maxConcurrency,
      reportBatchItemFailures: true,
    }),
  );
}

export interface StreamTriggerProps {
  /** The kind of change, as in `Coupons`. */
  readonly of: string;
  /** Which records there are for the function: https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html */
  readonly filter: Record<string, unknown>;
  readonly batchSize: number;
  readonly maxBatchingWindow: Duration;
  /** Batches of one shard under way at once; all changes of one partition key stay in order. */
  readonly parallelism: number;
}

/** Gives changes of a table to a function, in order; the place of those it gave up on ends in the queue returned. */
export function followTable(table: TableV2, fn: RustFunction, props: StreamTriggerProps): DeadLetterQueue {
  const deadLetters = new DeadLetterQueue(fn.stack, `${fn.node.id}DeadLetters`);
  // As the L2 event source would, but that one allows listing the streams of every table.
  fn.addToRolePolicy(
    new PolicyStatement({
      effect: Effect.ALLOW,
      actions: [
        'dynamodb:DescribeStream',
        'dynamodb:GetRecords',
        'dynamodb:GetShardIterator',
        'dynamodb:ListStreams',
      ],
      resources: [table.tableStreamArn as string],
    }),
  );
  new EventSourceMapping(fn, props.of, {
    target: fn,
    eventSourceArn: table.tableStreamArn,
    startingPosition: StartingPosition.TRIM_HORIZON,
    filters: [FilterCriteria.filter(props.filter)],
    batchSize: props.batchSize,
    maxBatchingWindow: props.maxBatchingWindow,
    parallelizationFactor: props.parallelism,
    reportBatchItemFailures: true,
    // A poison record ends up alone, and does not hold up its shard for a day.
    bisectBatchOnError: true,
    retryAttempts: 10,
    // As long as the stream keeps them.
    maxRecordAge: Duration.hours(24),
    onFailure: new SqsDlq(deadLetters),
  });
  return deadLetters;
}

/** Who may be told by EventBridge Scheduler to invoke `fn`, and no version of it. */
export function schedulerRole(scope: Construct, id: string, fn: RustFunction): Role {
  const role = new Role(scope, id, { assumedBy: new ServicePrincipal('scheduler.amazonaws.com') });
  // Not grantInvoke, which allows every version too.
  role.addToPolicy(
    new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['lambda:InvokeFunction'],
      resources: [fn.functionArn],
    }),
  );
  return role;
}

export interface ScheduledFunctionProps extends Omit<RustFunctionProps, 'deadLetterQueue'> {
  readonly everyMinutes: number;
}

/** A function that the clock starts. */
export class ScheduledFunction extends RustFunction {
  constructor(scope: Construct, id: string, { everyMinutes, ...props }: ScheduledFunctionProps) {
    const deadLetterQueue = new DeadLetterQueue(scope, `${id}DeadLetters`);
    super(scope, id, {
      ...props,
      deadLetterQueue,
      // The next tick does what this one did not; one that waits for concurrency is not lost meanwhile.
      retryAttempts: props.retryAttempts ?? 0,
      maxEventAge: Duration.hours(1),
    });

    const role = schedulerRole(scope, `${id}ScheduleRole`, this);
    deadLetterQueue.grantSendMessages(role);
    const schedule = new CfnSchedule(scope, `${id}Schedule`, {
      description: props.description,
      scheduleExpression: everyMinutes === 1 ? 'rate(1 minute)' : `rate(${everyMinutes} minutes)`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.functionArn,
        roleArn: role.roleArn,
        deadLetterConfig: { arn: deadLetterQueue.queueArn },
        retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 60 * everyMinutes },
      },
    });
    // Scheduler looks whether the role may be assumed, and the first tick needs what it may do.
    schedule.node.addDependency(role);
  }
}

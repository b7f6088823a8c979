import { Duration, Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption, type QueueProps } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';

/** The most SQS has: what failed for good waits for a human, who may be on holiday. */
const LONGEST_RETENTION = Duration.days(14);

/** How long messages may wait to be taken together, where that saves writes. */
const BATCHING_WINDOW = Duration.seconds(1);

/** A message that fails this often is not unlucky but wrong. */
const TRIES = 5;

/** Encrypted, over TLS only; hands out permissions. */
class SecureQueue extends Queue {
  constructor(scope: Construct, id: string, props: QueueProps) {
    super(scope, id, { ...props, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true });
  }

  allow(...actions: string[]): PolicyStatement {
    return new PolicyStatement({ effect: Effect.ALLOW, actions, resources: [this.queueArn] });
  }
}

/** Where something ends that failed for good. */
export class DeadLetterQueue extends SecureQueue {
  constructor(scope: Construct, id: string) {
    super(scope, id, { retentionPeriod: LONGEST_RETENTION });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'It is where dead letters go; its depth is watched.',
    });
  }
}

export interface WorkQueueProps {
  /** As in "claim queue": names it in alarms and on the dashboard. */
  readonly title: string;
  /** Time-out of the function that takes messages from it. */
  readonly handlerTimeout: Duration;
  /** How long a message may wait before someone is told. */
  readonly staleAfter: Duration;
  /** How long messages wait for others to be taken with; a second unless told otherwise. */
  readonly batchingWindow?: Duration;
}

/** Work for later: tried a few times, then kept aside. */
export class WorkQueue extends SecureQueue {
  readonly title: string;
  readonly handlerTimeout: Duration;
  readonly staleAfter: Duration;
  readonly batchingWindow: Duration;
  readonly deadLetters: DeadLetterQueue;

  constructor(scope: Construct, id: string, props: WorkQueueProps) {
    const deadLetters = new DeadLetterQueue(scope, `${id}DeadLetters`);
    const batchingWindow = props.batchingWindow ?? BATCHING_WINDOW;
    super(scope, id, {
      // Leaves room for Lambda's own retries when it is throttled:
      // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
      visibilityTimeout: batchingWindow.plus(Duration.seconds(6 * props.handlerTimeout.toSeconds())),
      retentionPeriod: Duration.days(4),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: TRIES },
    });
    this.title = props.title;
    this.handlerTimeout = props.handlerTimeout;
    this.staleAfter = props.staleAfter;
    this.batchingWindow = batchingWindow;
    this.deadLetters = deadLetters;
  }
}

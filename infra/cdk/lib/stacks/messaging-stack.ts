import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { Construct } from 'constructs';
import { WorkQueue } from '../constructs/work-queue.ts';

/** Events of other services that may bring a guest a coupon. */
const REWARDED_EVENTS = ['guest.signed_up', 'guest.birthday', 'order.paid'];

/** What runs between the functions: one queue for each kind of work, one bus for what others tell. */
export class MessagingStack extends Stack {
  /** API Gateway puts claims in, `claim-coupon-batch` takes them out. */
  readonly claims: WorkQueue;
  /** Chunks of grant jobs. */
  readonly grants: WorkQueue;
  /** Events of the bus for which guests may get a coupon. */
  readonly rewards: WorkQueue;
  /** Batches of exchange codes to write out. */
  readonly codes: WorkQueue;
  /** What guests are to be told; the notification service will take it from here. */
  readonly notifications: WorkQueue;
  readonly bus: EventBus;

  constructor(scope: Construct, id: string, props: StackProps) {
    super(scope, id, props);
    this.claims = new WorkQueue(this, 'ClaimQueue', {
      title: 'claim queue',
      // Someone waits for the answer: a batch that takes longer is better tried again.
      handlerTimeout: Duration.seconds(15),
      staleAfter: Duration.minutes(1),
    });
    this.grants = new WorkQueue(this, 'GrantQueue', {
      title: 'grant queue',
      // A chunk is some hundred guests, each a transaction.
      handlerTimeout: Duration.minutes(2),
      // A big job queues up all of its chunks at once.
      staleAfter: Duration.hours(2),
    });
    this.rewards = new WorkQueue(this, 'RewardQueue', {
      title: 'reward queue',
      handlerTimeout: Duration.seconds(30),
      staleAfter: Duration.minutes(15),
    });
    this.codes = new WorkQueue(this, 'CodeQueue', {
      title: 'code queue',
      // Hundreds of thousands of codes, made and streamed to a file.
      handlerTimeout: Duration.minutes(5),
      staleAfter: Duration.hours(1),
    });
    this.notifications = new WorkQueue(this, 'NotificationQueue', {
      title: 'notification queue',
      handlerTimeout: Duration.seconds(30),
      // Nobody takes from it yet: keep what can be kept.
      retention: Duration.days(14),
    });

    this.bus = new EventBus(this, 'Bus', {
      description: 'What the services of the platform tell each other',
    });
    new Rule(this, 'RewardedEvents', {
      eventBus: this.bus,
      description: 'Events for which a guest may get a coupon',
      eventPattern: { detailType: REWARDED_EVENTS },
      targets: [
        // What cannot even be queued is as dead as what cannot be handled.
        new SqsQueue(this.rewards, { deadLetterQueue: this.rewards.deadLetters }),
      ],
    });

    new CfnOutput(this, 'BusName', { value: this.bus.eventBusName });
    for (const queue of this.queues) {
      new CfnOutput(this, `${queue.node.id}Url`, { value: queue.queueUrl });
      new CfnOutput(this, `${queue.node.id}DeadLettersUrl`, { value: queue.deadLetters.queueUrl });
    }
  }

  get queues(): readonly WorkQueue[] {
    return [this.claims, this.grants, this.rewards, this.codes, this.notifications];
  }
}

import { CfnOutput, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { EventBus, Match, Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { Mail } from '../constructs/mail.ts';
import { WorkQueue } from '../constructs/work-queue.ts';
import { byPriority, PRIORITIES, type Priority } from '../priorities.ts';

/** Events of other services that may bring a guest a coupon. */
const REWARDED_EVENTS = ['guest.signed_up', 'guest.birthday', 'order.paid'];

/** What `dispatch-notification` takes from, by how long somebody waits: a code at the door, an offer for the summer. */
const DISPATCH: Record<Priority, { readonly id: string; readonly staleAfter: Duration }> = {
  low: { id: 'LowNotificationQueue', staleAfter: Duration.hours(2) },
  normal: { id: 'NormalNotificationQueue', staleAfter: Duration.minutes(5) },
  high: { id: 'HighNotificationQueue', staleAfter: Duration.minutes(1) },
  urgent: { id: 'UrgentNotificationQueue', staleAfter: Duration.seconds(30) },
};

export interface MessagingStackProps extends StackProps {
  readonly config: StageConfig;
}

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
  /** Messages to send, each priority in its own, so that none waits behind lower ones. */
  readonly dispatch: Record<Priority, WorkQueue>;
  /** All events of the bus, of which rules make messages. */
  readonly notificationEvents: WorkQueue;
  /** Pages of broadcasts. */
  readonly broadcasts: WorkQueue;
  /** What SES says became of mails. Nothing comes where no sender is configured. */
  readonly mailEvents: WorkQueue;
  /** Steps of files of homestays to import. */
  readonly homestayImports: WorkQueue;
  /** Steps of rebuilds of the index, and of comparing it with the table. */
  readonly reindex: WorkQueue;
  /** What people searched for and opened. */
  readonly searchEvents: WorkQueue;
  readonly bus: EventBus;
  /** Missing where no sender is configured. */
  readonly mail?: Mail;

  constructor(scope: Construct, id: string, { config, ...props }: MessagingStackProps) {
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
    this.dispatch = byPriority((priority) => {
      const { id, staleAfter } = DISPATCH[priority];
      return new WorkQueue(this, id, {
        title: `${priority} notification queue`,
        // Ends before the lease on a message does, which is 90 s: nobody else sends it meanwhile.
        handlerTimeout: Duration.seconds(60),
        staleAfter,
      });
    });
    this.notificationEvents = new WorkQueue(this, 'NotificationEventQueue', {
      title: 'notification event queue',
      handlerTimeout: Duration.seconds(30),
      // A confirmation that comes later than this is asked for at the desk.
      staleAfter: Duration.minutes(1),
    });
    this.broadcasts = new WorkQueue(this, 'BroadcastQueue', {
      title: 'broadcast queue',
      // A page of guests, a write for each.
      handlerTimeout: Duration.minutes(1),
      staleAfter: Duration.minutes(15),
    });
    this.mailEvents = new WorkQueue(this, 'MailEventQueue', {
      title: 'mail event queue',
      handlerTimeout: Duration.seconds(30),
      // An address that is dead is written to until its bounce is recorded.
      staleAfter: Duration.minutes(15),
    });

    this.homestayImports = new WorkQueue(this, 'HomestayImportQueue', {
      title: 'homestay import queue',
      // Begins nothing new after half of it, and goes on in another message.
      handlerTimeout: Duration.minutes(1),
      staleAfter: Duration.hours(1),
    });
    this.reindex = new WorkQueue(this, 'ReindexQueue', {
      title: 'reindex queue',
      // A step takes what fits into four of them, and goes on in another message.
      handlerTimeout: Duration.minutes(5),
      staleAfter: Duration.hours(1),
    });
    this.searchEvents = new WorkQueue(this, 'SearchEventQueue', {
      title: 'search event queue',
      handlerTimeout: Duration.seconds(30),
      // Popular queries are ranked every five minutes.
      staleAfter: Duration.minutes(15),
      // Nobody waits for them.
      batchingWindow: Duration.seconds(10),
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
    new Rule(this, 'AllEvents', {
      eventBus: this.bus,
      description: 'Operators write which events become messages, so that all of them come',
      eventPattern: { detailType: Match.prefix('') },
      targets: [
        new SqsQueue(this.notificationEvents, { deadLetterQueue: this.notificationEvents.deadLetters }),
      ],
    });
    if (config.mailSender) {
      this.mail = new Mail(this, 'Mail', config.mailSender);
      this.mail.events.addSubscription(
        new SqsSubscription(this.mailEvents, {
          rawMessageDelivery: false,
          // As of the rules: what cannot even be queued.
          deadLetterQueue: this.mailEvents.deadLetters,
        }),
      );
    }

    new CfnOutput(this, 'BusName', { value: this.bus.eventBusName });
    for (const queue of this.queues) {
      new CfnOutput(this, `${queue.node.id}Url`, { value: queue.queueUrl });
      new CfnOutput(this, `${queue.node.id}DeadLettersUrl`, { value: queue.deadLetters.queueUrl });
    }
  }

  get queues(): readonly WorkQueue[] {
    return [...this.couponQueues, ...this.notificationQueues, ...this.searchQueues];
  }

  get couponQueues(): readonly WorkQueue[] {
    return [this.claims, this.grants, this.rewards, this.codes];
  }

  get notificationQueues(): readonly WorkQueue[] {
    const dispatch = PRIORITIES.toReversed().map((priority) => this.dispatch[priority]);
    return [...dispatch, this.notificationEvents, this.broadcasts, this.mailEvents];
  }

  get searchQueues(): readonly WorkQueue[] {
    return [this.homestayImports, this.reindex, this.searchEvents];
  }
}

import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { IUserPool } from 'aws-cdk-lib/aws-cognito';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { FilterRule } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { Mail } from '../constructs/mail.ts';
import type { NotificationChannels } from '../constructs/notification-channels.ts';
import type { NotificationTable } from '../constructs/notification-table.ts';
import { OneOffSchedules } from '../constructs/one-off-schedules.ts';
import type { ProviderSecrets } from '../constructs/provider-secrets.ts';
import { allowRegisteringDevices, pushEnvironment } from '../constructs/push.ts';
import { outputNames, RustFunction } from '../constructs/rust-function.ts';
import { followTable, ScheduledFunction, takeFrom } from '../constructs/triggers.ts';
import type { DeadLetterQueue, WorkQueue } from '../constructs/work-queue.ts';
import { PRIORITIES, type Priority } from '../priorities.ts';

/** What SQS hands out at once. Each message waits for a provider, so that more would only wait longer. */
const DISPATCH_BATCH = 10;

export interface NotificationStackProps extends StackProps {
  readonly config: StageConfig;
  readonly notificationTable: NotificationTable;
  readonly dispatchQueues: Record<Priority, WorkQueue>;
  readonly eventQueue: WorkQueue;
  readonly broadcastQueue: WorkQueue;
  readonly mailEventQueue: WorkQueue;
  readonly userPool: IUserPool;
  readonly channels: NotificationChannels;
  readonly providerSecrets: ProviderSecrets;
  readonly mail?: Mail;
}

/** A notification from request to receipt: accepted, queued at its time, sent, followed up. */
export class NotificationStack extends Stack {
  readonly functions;
  /** Messages that could not be handed on. */
  readonly unqueued: DeadLetterQueue;

  constructor(scope: Construct, id: string, props: NotificationStackProps) {
    const { config, notificationTable, dispatchQueues, eventQueue, broadcastQueue, ...others } = props;
    const { mailEventQueue, userPool, channels, providerSecrets, mail, ...stackProps } = others;
    super(scope, id, stackProps);
    const environment = { NOTIFICATION_TABLE: notificationTable.tableName };
    const queueUrls = urlsOf(dispatchQueues);
    const deadLetterUrls = urlsOfDeadLetters(dispatchQueues);
    const queues = PRIORITIES.map((priority) => dispatchQueues[priority]);
    const allowQueueing = queues.map((queue) => queue.allow('sqs:SendMessage'));

    const scheduleNotifications = new ScheduledFunction(this, 'ScheduleNotifications', {
      config,
      name: 'schedule-notifications',
      description: 'Queues the messages whose time has come',
      everyMinutes: 1,
      memorySize: 256,
      // Ends before the next run begins.
      timeout: Duration.seconds(55),
      p99Goal: Duration.seconds(30),
      environment: { ...environment, ...queueUrls },
      permissions: [
        notificationTable.allowListingDue(),
        notificationTable.allowOn('MESSAGE#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
        ...allowQueueing,
      ],
      // No tick repeats what a schedule of a single message wanted. It comes three minutes early, which is as long as
      // Lambda takes for two more tries; to run twice does no harm.
      retryAttempts: 2,
    });
    const schedules = new OneOffSchedules(this, 'Schedules', scheduleNotifications);

    this.functions = {
      'schedule-notifications': scheduleNotifications,

      'send-notification': new RustFunction(this, 'SendNotification', {
        config,
        name: 'send-notification',
        description: 'Accepts messages, shows and cancels them; begins broadcasts',
        memorySize: 256,
        // A request may have a thousand receivers, a write for each.
        timeout: Duration.seconds(20),
        p99Goal: Duration.seconds(5),
        environment: { ...environment, BROADCAST_QUEUE_URL: broadcastQueue.queueUrl },
        permissions: [
          ...notificationTable.allowReadingTemplates(),
          notificationTable.allowOn('MESSAGE#*', ...READ_AND_WRITE, 'dynamodb:BatchGetItem'),
          notificationTable.allowListingByReceiver(),
          notificationTable.allowOn('BROADCAST#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          notificationTable.allowOn('BROADCASTS', 'dynamodb:PutItem', 'dynamodb:Query'),
          broadcastQueue.allow('sqs:SendMessage'),
        ],
      }),

      'queue-notifications': new RustFunction(this, 'QueueNotifications', {
        config,
        name: 'queue-notifications',
        description: 'Hands messages that were accepted to the queue of their priority, or to the scheduler',
        memorySize: 256,
        timeout: Duration.seconds(60),
        p99Goal: Duration.seconds(10),
        environment: { ...queueUrls, ...schedules.environment },
        permissions: [...allowQueueing, ...schedules.allowScheduling()],
      }),

      'dispatch-notification': new RustFunction(this, 'DispatchNotification', {
        config,
        name: 'dispatch-notification',
        description: 'Brings messages to a provider of their channel that takes them',
        // CPU comes with memory: TLS handshakes with the providers need it.
        memorySize: 512,
        timeout: dispatchQueues.urgent.handlerTimeout,
        p99Goal: Duration.seconds(15),
        environment: {
          ...environment,
          ...queueUrls,
          ...deadLetterUrls,
          NOTIFICATION_CHANNELS: channels.location,
          PROVIDER_SECRETS: providerSecrets.secretArn,
        },
        permissions: [
          ...notificationTable.allowReadingTemplates(),
          // PutItem: a digest is a message, too.
          notificationTable.allowOn('MESSAGE#*', ...READ_AND_WRITE),
          notificationTable.allowOn('DIGEST#*', 'dynamodb:PutItem', 'dynamodb:Query'),
          // PutItem: devices that are no more are forgotten.
          notificationTable.allowOn('GUEST#*', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'),
          notificationTable.allowOn('INBOX#*', 'dynamodb:PutItem'),
          notificationTable.allowOn('SUPPRESSED#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          notificationTable.allowOn('REFERENCE#*', 'dynamodb:PutItem'),
          notificationTable.allowOn('LIMIT#*', 'dynamodb:UpdateItem'),
          notificationTable.allowOn('TOKEN#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          // What is to be tried again later.
          ...allowQueueing,
          ...queues.map((queue) => queue.deadLetters.allow('sqs:SendMessage')),
          channels.allowReading(),
          providerSecrets.allowReading(),
          ...(mail ? [mail.allowSending()] : []),
          ...this.allowPublishing(config),
        ],
      }),

      'broadcast-notifications': new RustFunction(this, 'BroadcastNotifications', {
        config,
        name: 'broadcast-notifications',
        description: 'Works through a broadcast: a message to each guest, a page of them at a time',
        memorySize: 256,
        timeout: broadcastQueue.handlerTimeout,
        p99Goal: Duration.seconds(30),
        environment: {
          ...environment,
          BROADCAST_QUEUE_URL: broadcastQueue.queueUrl,
          USER_POOL_ID: userPool.userPoolId,
        },
        permissions: [
          ...notificationTable.allowReadingTemplates(),
          notificationTable.allowOn('BROADCAST#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          notificationTable.allowOn('MESSAGE#*', 'dynamodb:PutItem'),
          // The next page.
          broadcastQueue.allow('sqs:SendMessage'),
          new PolicyStatement({
            effect: Effect.ALLOW,
            actions: ['cognito-idp:ListUsers', 'cognito-idp:ListUsersInGroup'],
            resources: [userPool.userPoolArn],
          }),
        ],
      }),

      'redrive-notifications': new RustFunction(this, 'RedriveNotifications', {
        config,
        name: 'redrive-notifications',
        description: 'Lets admins look through dead letters, and have them sent again',
        memorySize: 256,
        // Begins nothing new after 15 s, and may have a thousand letters to release: all that API Gateway allows.
        timeout: Duration.seconds(28),
        p99Goal: Duration.seconds(20),
        environment: { ...environment, ...queueUrls, ...deadLetterUrls },
        permissions: [
          notificationTable.allowOn('MESSAGE#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          ...queues.map((queue) =>
            queue.deadLetters.allow(
              'sqs:ReceiveMessage',
              'sqs:DeleteMessage',
              'sqs:ChangeMessageVisibility',
              'sqs:GetQueueAttributes',
            ),
          ),
          ...allowQueueing,
        ],
      }),

      'receive-delivery-report': new RustFunction(this, 'ReceiveDeliveryReport', {
        config,
        name: 'receive-delivery-report',
        description: 'Notes what providers say became of messages',
        memorySize: 256,
        // A report may be about hundreds of messages.
        timeout: Duration.seconds(10),
        p99Goal: Duration.seconds(3),
        environment: {
          ...environment,
          NOTIFICATION_CHANNELS: channels.location,
          PROVIDER_SECRETS: providerSecrets.secretArn,
        },
        permissions: [
          notificationTable.allowOn('REFERENCE#*', 'dynamodb:GetItem'),
          notificationTable.allowOn('MESSAGE#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          // Which address it was that bounced.
          notificationTable.allowOn('GUEST#*', 'dynamodb:Query'),
          notificationTable.allowOn('SUPPRESSED#*', 'dynamodb:PutItem'),
          channels.allowReading(),
          providerSecrets.allowReading(),
        ],
      }),

      'record-mail-events': new RustFunction(this, 'RecordMailEvents', {
        config,
        name: 'record-mail-events',
        description: 'Notes what SES says became of mails',
        memorySize: 256,
        timeout: mailEventQueue.handlerTimeout,
        p99Goal: Duration.seconds(3),
        environment,
        permissions: [
          notificationTable.allowOn('MESSAGE#*', 'dynamodb:GetItem', 'dynamodb:UpdateItem'),
          // Which address it was that was complained of.
          notificationTable.allowOn('GUEST#*', 'dynamodb:Query'),
          notificationTable.allowOn('SUPPRESSED#*', 'dynamodb:PutItem'),
        ],
      }),

      'manage-inbox': new RustFunction(this, 'ManageInbox', {
        config,
        name: 'manage-inbox',
        description: 'Shows a guest what the guest was told within the app',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.millis(500),
        environment,
        permissions: [
          // What is deleted stays as a mark: a message that is dispatched again does not bring it back.
          notificationTable.allowOn('INBOX#*', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'),
        ],
      }),

      'manage-notification-preferences': new RustFunction(this, 'ManageNotificationPreferences', {
        config,
        name: 'manage-notification-preferences',
        description: 'Lets a guest choose how to be told what, and where',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.seconds(1),
        environment: { ...environment, ...pushEnvironment(config.pushApplications) },
        permissions: [
          notificationTable.allowOn('GUEST#*', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'),
          notificationTable.allowOn('ENDPOINT#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
        ],
      }),

      'manage-notification-templates': new RustFunction(this, 'ManageNotificationTemplates', {
        config,
        name: 'manage-notification-templates',
        description: 'Lets admins write what messages say, look at it and send it to themselves',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.seconds(1),
        environment,
        permissions: [
          notificationTable.allowOn('TEMPLATES', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'),
          notificationTable.allowOn('TEMPLATE#*', 'dynamodb:GetItem', 'dynamodb:PutItem'),
          // Test sends.
          notificationTable.allowOn('MESSAGE#*', 'dynamodb:PutItem'),
        ],
      }),

      'manage-notification-rules': new RustFunction(this, 'ManageNotificationRules', {
        config,
        name: 'manage-notification-rules',
        description: 'Lets admins choose which events become which messages',
        memorySize: 256,
        timeout: Duration.seconds(5),
        p99Goal: Duration.seconds(1),
        environment,
        permissions: [
          notificationTable.allowOn(
            'RULES',
            'dynamodb:GetItem',
            'dynamodb:PutItem',
            'dynamodb:DeleteItem',
            'dynamodb:Query',
          ),
          ...notificationTable.allowReadingTemplates(),
        ],
      }),

      'notify-on-event': new RustFunction(this, 'NotifyOnEvent', {
        config,
        name: 'notify-on-event',
        description: 'Turns events of the platform into messages, by rules',
        memorySize: 256,
        timeout: eventQueue.handlerTimeout,
        p99Goal: Duration.seconds(5),
        environment,
        permissions: [
          notificationTable.allowOn('RULES', 'dynamodb:Query'),
          ...notificationTable.allowReadingTemplates(),
          // UpdateItem: a later event may make a message pointless that waits.
          notificationTable.allowOn('MESSAGE#*', ...READ_AND_WRITE),
        ],
      }),
    };

    schedules.acknowledge(this.functions['queue-notifications']);
    allowRegisteringDevices(this.functions['manage-notification-preferences'], config.pushApplications);
    for (const priority of PRIORITIES) {
      takeFrom(dispatchQueues[priority], this.functions['dispatch-notification'], {
        batchSize: DISPATCH_BATCH,
        maxConcurrency: config.dispatchConcurrency[priority],
      });
    }
    takeFrom(eventQueue, this.functions['notify-on-event'], { batchSize: 10, maxConcurrency: 10 });
    takeFrom(mailEventQueue, this.functions['record-mail-events'], { batchSize: 10, maxConcurrency: 10 });
    // Pages of one broadcast follow each other; several broadcasts share what the table and the account have to give.
    takeFrom(broadcastQueue, this.functions['broadcast-notifications'], { batchSize: 1, maxConcurrency: 5 });
    this.unqueued = followTable(notificationTable, this.functions['queue-notifications'], {
      of: 'Messages',
      // Only what was accepted: a message that changes afterwards is in the hands of others.
      filter: {
        eventName: FilterRule.isEqual('INSERT'),
        dynamodb: { Keys: { pk: { S: FilterRule.beginsWith('MESSAGE#') } } },
      },
      batchSize: 100,
      // Somebody may wait for a code.
      maxBatchingWindow: Duration.seconds(0),
      parallelism: config.streamParallelism,
    });
    outputNames(Object.values(this.functions));
  }

  /** To phone numbers and devices. A number is no resource, so that SNS takes nothing but "*": but our topics are no numbers. */
  private allowPublishing({ stage }: StageConfig): PolicyStatement[] {
    // CloudFormation begins their names with that of their stack.
    const topics = this.formatArn({ service: 'sns', resource: `Flashsale-${stage}-*` });
    const publish = (effect: Effect, resource: string) =>
      new PolicyStatement({ effect, actions: ['sns:Publish'], resources: [resource] });
    return [publish(Effect.ALLOW, '*'), publish(Effect.DENY, topics)];
  }
}

const READ_AND_WRITE = ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'];

/** `URGENT_QUEUE_URL` and the others. */
function urlsOf(queues: Record<Priority, WorkQueue>): Record<string, string> {
  return Object.fromEntries(
    PRIORITIES.map((priority) => [`${priority.toUpperCase()}_QUEUE_URL`, queues[priority].queueUrl]),
  );
}

/** `URGENT_DEAD_LETTERS_URL` and the others. */
function urlsOfDeadLetters(queues: Record<Priority, WorkQueue>): Record<string, string> {
  return Object.fromEntries(
    PRIORITIES.map((priority) => [
      `${priority.toUpperCase()}_DEAD_LETTERS_URL`,
      queues[priority].deadLetters.queueUrl,
    ]),
  );
}

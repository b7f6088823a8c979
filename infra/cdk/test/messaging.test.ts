import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { PRIORITIES } from '../lib/priorities.ts';
import { STACKS_OF_FUNCTIONS, synthesize } from './synthesize.ts';

const QUEUE = 'AWS::SQS::Queue';

const prod = synthesize('prod');
const messaging = prod.template('Messaging');
const queues = (['Messaging', ...STACKS_OF_FUNCTIONS] as const).flatMap((stack) =>
  Object.entries(prod.template(stack).findResources(QUEUE)).map(([id, { Properties }]) => ({
    stack,
    id,
    Properties,
  })),
);
const work = queues.filter(({ id }) => !id.includes('DeadLetters'));

describe('a queue', () => {
  it('is encrypted, and reached over TLS only', () => {
    for (const { stack, id, Properties } of queues) {
      expect(Properties.SqsManagedSseEnabled).toBe(true);
      prod.template(stack).hasResourceProperties('AWS::SQS::QueuePolicy', {
        Queues: [{ Ref: id }],
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          ]),
        },
      });
    }
  });

  it('sets aside what failed five times, for two weeks', () => {
    const deadLetters = new Map(queues.map((queue) => [queue.id, queue]));
    for (const { Properties } of work) {
      const { deadLetterTargetArn, maxReceiveCount } = Properties.RedrivePolicy;
      expect(maxReceiveCount).toBe(5);
      const target = deadLetters.get(deadLetterTargetArn['Fn::GetAtt'][0]);
      expect(target?.Properties.MessageRetentionPeriod).toBe(14 * 24 * 3600);
    }
  });

  it('hides a message for six times as long as its function may take', () => {
    const functions = STACKS_OF_FUNCTIONS.flatMap((stack) => {
      const template = prod.template(stack);
      return Object.values(template.findResources('AWS::Lambda::EventSourceMapping')).map(
        ({ Properties }) => ({
          source: JSON.stringify(Properties.EventSourceArn),
          timeout:
            template.findResources('AWS::Lambda::Function')[Properties.FunctionName.Ref]?.Properties.Timeout,
        }),
      );
    });
    for (const { id, Properties } of work) {
      const taker = functions.find(({ source }) => source.includes(id));
      expect(Properties.VisibilityTimeout).toBeGreaterThanOrEqual(6 * taker?.timeout + 1);
    }
  });

  it('is there for each priority of notifications, so that none waits behind lower ones', () => {
    const ids = work.map(({ id }) => id.slice(0, -8));
    for (const priority of ['Low', 'Normal', 'High', 'Urgent'])
      expect(ids).toContain(`${priority}NotificationQueue`);
    expect(PRIORITIES).toHaveLength(4);
  });

  it('gives a batch of messages less time than the lease of a message, 90 s', () => {
    const [dispatch] = Object.entries(
      prod.template('Notification').findResources('AWS::Lambda::Function'),
    ).filter(([id]) => id.startsWith('DispatchNotification'));
    expect(dispatch?.[1].Properties.Timeout).toBeLessThan(90);
  });
});

describe('the bus', () => {
  const ruleFor = (queue: string, pattern: object) =>
    messaging.hasResourceProperties('AWS::Events::Rule', {
      EventBusName: { Ref: Match.stringLikeRegexp('^Bus') },
      EventPattern: pattern,
      Targets: [
        Match.objectLike({
          Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp(`^${queue}[0-9A-F]{8}$`), 'Arn'] },
          DeadLetterConfig: {
            Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp(`^${queue}DeadLetters`), 'Arn'] },
          },
        }),
      ],
    });

  it('hands on what may earn a guest a coupon', () => {
    ruleFor('RewardQueue', { 'detail-type': ['guest.signed_up', 'guest.birthday', 'order.paid'] });
  });

  it('hands on all events to those who make messages of them, by rules that operators write', () => {
    ruleFor('NotificationEventQueue', { 'detail-type': [{ prefix: '' }] });
    messaging.resourceCountIs('AWS::Events::Rule', 2);
  });

  it('is told to others by an output, as are the queues', () => {
    messaging.hasOutput('BusName', {});
    for (const { stack, id } of work) {
      expect(stack).toBe('Messaging');
      messaging.hasOutput(`${id.slice(0, -8)}Url`, {});
      messaging.hasOutput(`${id.slice(0, -8)}DeadLettersUrl`, {});
    }
  });
});

describe('mail', () => {
  const withSender = (mailFrom: string) => synthesize('prod', { mailFrom }).template('Messaging');

  it('comes from a domain, or from an address, that SES verifies', () => {
    for (const EmailIdentity of ['mail.example.com', 'stays@example.com']) {
      withSender(EmailIdentity).hasResourceProperties('AWS::SES::EmailIdentity', { EmailIdentity });
    }
  });

  it('has what became of it published to a topic that SES alone may publish to', () => {
    const mail = withSender('mail.example.com');
    mail.hasResourceProperties('AWS::SES::ConfigurationSetEventDestination', {
      EventDestination: {
        Enabled: true,
        MatchingEventTypes: ['delivery', 'bounce', 'complaint', 'reject'],
        SnsDestination: { TopicARN: { Ref: Match.stringLikeRegexp('^MailEvents') } },
      },
    });
    mail.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Action: 'sns:Publish',
            Principal: { Service: 'ses.amazonaws.com' },
            Condition: { StringEquals: Match.objectLike({ 'AWS:SourceArn': Match.anyValue() }) },
          }),
        ]),
      },
    });
  });

  it('has what became of it queued, in the envelope of SNS, and what cannot be queued set aside', () => {
    const mail = withSender('mail.example.com');
    const queueArn = (id: string) => ({
      'Fn::GetAtt': [Match.stringLikeRegexp(`^${id}[0-9A-F]{8}$`), 'Arn'],
    });
    const topic = { Ref: Match.stringLikeRegexp('^MailEvents') };
    mail.resourceCountIs('AWS::SNS::Subscription', 1);
    mail.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'sqs',
      TopicArn: topic,
      Endpoint: queueArn('MailEventQueue'),
      RawMessageDelivery: false,
      RedrivePolicy: { deadLetterTargetArn: queueArn('MailEventQueueDeadLetters') },
    });
    for (const queue of ['MailEventQueue', 'MailEventQueueDeadLetters']) {
      mail.hasResourceProperties('AWS::SQS::QueuePolicy', {
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({
              Effect: 'Allow',
              Action: 'sqs:SendMessage',
              Principal: { Service: 'sns.amazonaws.com' },
              Resource: queueArn(queue),
              Condition: { ArnEquals: { 'aws:SourceArn': topic } },
            }),
          ]),
        },
      });
    }
  });

  it('is left out until a sender is named', () => {
    expect(JSON.stringify(messaging.toJSON())).not.toMatch(/AWS::(SES|SNS)/);
  });
});

import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { synthesize } from './synthesize.ts';

const QUEUE = 'AWS::SQS::Queue';

const prod = synthesize('prod');
const messaging = prod.template('Messaging');
const queues = (['Messaging', 'Coupon', 'Marketing'] as const).flatMap((stack) =>
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
    const functions = (['Coupon', 'Marketing'] as const).flatMap((stack) => {
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
      if (taker) expect(Properties.VisibilityTimeout).toBeGreaterThanOrEqual(6 * taker.timeout + 1);
      else expect(id).toMatch(/^NotificationQueue/);
    }
  });

  it('keeps notifications as long as it can: nobody takes them yet', () => {
    const notifications = work.find(({ id }) => id.startsWith('NotificationQueue'));
    expect(notifications?.Properties.MessageRetentionPeriod).toBe(14 * 24 * 3600);
  });
});

describe('the bus', () => {
  it('hands on what may earn a guest a coupon, and nothing else', () => {
    messaging.resourceCountIs('AWS::Events::Rule', 1);
    messaging.hasResourceProperties('AWS::Events::Rule', {
      EventBusName: { Ref: Match.stringLikeRegexp('^Bus') },
      EventPattern: { 'detail-type': ['guest.signed_up', 'guest.birthday', 'order.paid'] },
      Targets: [
        Match.objectLike({
          Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^RewardQueue[0-9A-F]{8}$'), 'Arn'] },
          DeadLetterConfig: {
            Arn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^RewardQueueDeadLetters'), 'Arn'] },
          },
        }),
      ],
    });
  });

  it('is told to others by an output, as are the queues', () => {
    messaging.hasOutput('BusName', {});
    for (const queue of ['Claim', 'Grant', 'Reward', 'Code', 'Notification']) {
      messaging.hasOutput(`${queue}QueueUrl`, {});
      messaging.hasOutput(`${queue}QueueDeadLettersUrl`, {});
    }
  });
});

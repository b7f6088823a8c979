import { App, Duration, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../lib/config.ts';
import { Alarms } from '../lib/constructs/alarms.ts';
import { FIRST_PROVIDERS } from '../lib/constructs/notification-channels-document.ts';
import { RustFunction } from '../lib/constructs/rust-function.ts';
import { FUNCTION_NAMES } from '../lib/functions.ts';
import { logicalIdOf, STACKS_OF_FUNCTIONS, synthesize } from './synthesize.ts';

const ALARM = 'AWS::CloudWatch::Alarm';
const prod = synthesize('prod').template('Observability');
const alarms = Object.values(prod.findResources(ALARM)).map(({ Properties }) => Properties);

describe('alarms', () => {
  it.each(FUNCTION_NAMES)('watch errors, throttles and the p99 of %s', (name) => {
    const id = new RegExp(`OutputRef${logicalIdOf(name)}[0-9A-F]{8}`);
    const ofFunction = alarms.filter(
      ({ Namespace, MetricName, Dimensions }) =>
        Namespace === 'AWS/Lambda' && MetricName !== 'IteratorAge' && id.test(JSON.stringify(Dimensions)),
    );
    expect(ofFunction.map((it) => `${it.MetricName} ${it.Statistic ?? it.ExtendedStatistic}`).sort()).toEqual(
      ['Duration p99', 'Errors Sum', 'Throttles Sum'],
    );
  });

  it('watch the share of 5xx and the p99 of the API', () => {
    prod.hasResourceProperties(ALARM, { MetricName: '5xx', Statistic: 'Average', Threshold: 0.01 });
    prod.hasResourceProperties(ALARM, { MetricName: 'Latency', ExtendedStatistic: 'p99' });
  });

  const queueAlarms = (metric: string) =>
    alarms
      .filter(({ MetricName }) => MetricName === metric)
      .map(({ Dimensions }) => /GetAtt(\w+?)[0-9A-F]{8}QueueName/.exec(JSON.stringify(Dimensions))?.[1])
      .sort();

  it('watch every queue where something ends that failed for good', () => {
    const deadLetters = (['Messaging', ...STACKS_OF_FUNCTIONS] as const).flatMap((stack) =>
      Object.keys(synthesize('prod').template(stack).findResources('AWS::SQS::Queue'))
        .map((id) => id.slice(0, -8))
        .filter((id) => id.endsWith('DeadLetters')),
    );
    expect(queueAlarms('ApproximateNumberOfMessagesVisible')).toEqual(deadLetters.sort());
  });

  it('watch how long work waits in each queue that is worked on', () => {
    const queues = Object.keys(synthesize('prod').template('Messaging').findResources('AWS::SQS::Queue'))
      .map((id) => id.slice(0, -8))
      .filter((id) => !id.endsWith('DeadLetters'));
    expect(queueAlarms('ApproximateAgeOfOldestMessage')).toEqual(queues.sort());
  });

  it.each([
    ['Urgent', 30],
    ['High', 60],
    ['Normal', 300],
    ['Low', 7200],
  ])('fire when messages of priority %s wait for %i s', (priority, seconds) => {
    const alarm = alarms.find(
      ({ MetricName, Dimensions }) =>
        MetricName === 'ApproximateAgeOfOldestMessage' &&
        JSON.stringify(Dimensions).includes(`${priority}NotificationQueue`),
    );
    expect(alarm?.Threshold).toBe(seconds);
  });

  it('watch whether the changes of coupons and of homestays, and accepted messages, are kept up with', () => {
    prod.hasResourceProperties(ALARM, { MetricName: 'IteratorAge', Threshold: 300_000 });
    const soon = alarms.filter(
      ({ MetricName, Threshold }) => MetricName === 'IteratorAge' && Threshold === 30_000,
    );
    const readers = soon.map(
      ({ Dimensions }) => /OutputRef(\w+?)[0-9A-F]{8}/.exec(JSON.stringify(Dimensions))?.[1],
    );
    expect(readers.sort()).toEqual(['IndexHomestay', 'QueueNotifications']);
  });

  it('watch whether the index answers, and whether guests find anything', () => {
    prod.hasResourceProperties(ALARM, {
      Namespace: 'Flashsale',
      MetricName: 'IndexFailures',
      Dimensions: [
        { Name: 'call', Value: 'search' },
        { Name: 'service', Value: 'search-homestays' },
      ],
    });
    const fruitless = alarms.find(({ Metrics }) =>
      JSON.stringify(Metrics ?? '').includes('SearchesWithoutResult'),
    );
    expect(fruitless?.Threshold).toBe(0.2);
    const matchings = [...JSON.stringify(fruitless).matchAll(/"Name":"matching","Value":"(\w+)"/g)];
    expect(matchings.map(([, matching]) => matching).sort()).toEqual(['all', 'any', 'most']);
  });

  it('watch whether scheduled messages are a minute late', () => {
    prod.hasResourceProperties(ALARM, {
      Namespace: 'Flashsale',
      MetricName: 'NotificationsLateMs',
      Statistic: 'Maximum',
      Threshold: 60_000,
      Dimensions: [{ Name: 'service', Value: 'schedule-notifications' }],
    });
  });

  it.each(FIRST_PROVIDERS)('watch how often %s fails, and whether it is left alone', (provider) => {
    const dimensions = [
      { Name: 'provider', Value: provider },
      { Name: 'service', Value: 'dispatch-notification' },
    ];
    prod.hasResourceProperties(ALARM, { MetricName: 'ProviderLeftAlone', Dimensions: dimensions });
    const failures = alarms.find(({ Metrics }) => {
      const text = JSON.stringify(Metrics ?? []);
      return text.includes('ProviderCalls') && text.includes(`"Value":"${provider}"`);
    });
    expect(failures?.Threshold).toBe(0.2);
    const outcomes = [...JSON.stringify(failures).matchAll(/"Name":"outcome","Value":"(\w+)"/g)];
    expect(outcomes.map(([, outcome]) => outcome).sort()).toEqual([
      'accepted',
      'fail_over',
      'give_up',
      'retry',
      'suppress',
      'unknown',
    ]);
  });

  it.each(['CouponTable', 'NotificationTable', 'HomestayTable', 'SearchTable'])(
    'watch throttles and failures of the %s',
    (table) => {
      for (const metric of ['ReadThrottleEvents', 'WriteThrottleEvents']) {
        const watched = alarms.filter(({ MetricName }) => MetricName === metric);
        expect(JSON.stringify(watched.map(({ Dimensions }) => Dimensions))).toContain(`Ref${table}`);
      }
      const failures = alarms.filter(({ Metrics }) => JSON.stringify(Metrics ?? '').includes('SystemErrors'));
      expect(JSON.stringify(failures)).toContain(`Ref${table}`);
      prod.hasResourceProperties(ALARM, {
        Metrics: Match.arrayWith([
          Match.objectLike({
            MetricStat: Match.objectLike({
              Metric: Match.objectLike({
                MetricName: 'SystemErrors',
                Dimensions: Match.arrayWith([{ Name: 'Operation', Value: 'TransactWriteItems' }]),
              }),
            }),
          }),
        ]),
      });
    },
  );

  it('tell someone, also when it is over, and stay silent without traffic', () => {
    for (const alarm of alarms) {
      expect(alarm.AlarmActions).toHaveLength(1);
      expect(alarm.OKActions).toEqual(alarm.AlarmActions);
      expect(alarm.AlarmDescription).toBeTruthy();
      expect(alarm.TreatMissingData).toBe('notBreaching');
    }
  });

  it('reach an e-mail address given by context', () => {
    synthesize('prod', { alarmEmail: 'sales@example.com' })
      .template('Observability')
      .hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'sales@example.com' });
  });

  it('watch a dead-letter queue as soon as a function has one', () => {
    const stack = new Stack(new App(), 'Test');
    const fn = new RustFunction(stack, 'Fn', {
      config: readConfig(stack.node),
      name: 'claim-coupon',
      description: 'test',
      memorySize: 128,
      timeout: Duration.seconds(1),
      p99Goal: Duration.seconds(1),
      permissions: [],
      deadLetterQueue: new Queue(stack, 'DeadLetters'),
    });
    new Alarms(stack, 'Alarms', new SnsAction(new Topic(stack, 'Topic'))).watchFunction(fn);
    Template.fromStack(stack).hasResourceProperties(ALARM, {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Threshold: 1,
    });
  });
});

describe('the dashboards', () => {
  it.each([
    'ClaimsIssued',
    'ClaimsReplayed',
    'ClaimsRefused',
    'ClaimConflicts',
    'ConsumedWriteCapacityUnits',
    'TransactionConflict',
    'Latency',
    'Errors',
    'ClaimWaitMs',
    'RiskDecisions',
    'CouponsGranted',
    'CouponsExpired',
    'RecordsFailed',
    'ApproximateNumberOfMessagesVisible',
    'ApproximateAgeOfOldestMessage',
    'NumberOfMessagesDeleted',
    'IteratorAge',
    'NotificationsAccepted',
    'NotificationsQueued',
    'DeliveryReports',
    'NotificationsDispatched',
    'ProviderCalls',
    'ProviderMs',
    'ProviderLeftAlone',
    'NotificationsLateMs',
    'Searches',
    'SearchesWithoutResult',
    'SearchesNotRecorded',
    'IndexMs',
    'IndexFailures',
    'SearchIndexCalls',
  ])('show %s', (metric) => {
    const dashboards = Object.values(prod.findResources('AWS::CloudWatch::Dashboard'));
    expect(dashboards).toHaveLength(3);
    expect(JSON.stringify(dashboards.map(({ Properties }) => Properties.DashboardBody))).toContain(metric);
  });
});

describe('stage local', () => {
  it('has the same alarms but for metric math, which the local AWS lacks', () => {
    const local = Object.values(synthesize('local').template('Observability').findResources(ALARM));
    expect(local.every(({ Properties }) => Properties.Metrics === undefined)).toBe(true);
    expect(alarms.filter(({ Metrics }) => Metrics !== undefined)).toHaveLength(alarms.length - local.length);
  });
});

import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../lib/config.ts';
import { RustFunction } from '../lib/constructs/rust-function.ts';
import { takeFrom } from '../lib/constructs/triggers.ts';
import { WorkQueue } from '../lib/constructs/work-queue.ts';
import { FUNCTION_NAMES, type FunctionName } from '../lib/functions.ts';
import { PRIORITIES } from '../lib/priorities.ts';
import { ROUTES } from '../lib/routes.ts';
import {
  logicalIdOf,
  STACKS_OF_FUNCTIONS,
  type StackName,
  type Synthesized,
  synthesize,
} from './synthesize.ts';

const MAPPING = 'AWS::Lambda::EventSourceMapping';
const SCHEDULE = 'AWS::Scheduler::Schedule';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

/** With all that notifications may use. */
const prod = synthesize('prod', {
  mailFrom: 'mail.example.com',
  apnsApplicationArn: 'arn:aws:sns:eu-west-1:111122223333:app/APNS/flashsale',
  fcmApplicationArn: 'arn:aws:sns:eu-west-1:111122223333:app/GCM/flashsale',
});
const policies = resourcesOf(prod, 'AWS::IAM::Policy');
const functions = resourcesOf(prod, 'AWS::Lambda::Function');

const READS_TEXTS = { TEMPLATES: ['GetItem'], 'TEMPLATE#*': ['GetItem'] };
const TAKES_STOCK = { 'TEMPLATE#*': ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'] };
const READS_AND_WRITES = ['GetItem', 'PutItem', 'UpdateItem'];
const CHANGES_TEMPLATES = { 'TEMPLATE#*': READS_AND_WRITES };
const ISSUES = { ...TAKES_STOCK, 'USER#*': ['PutItem', 'Query'] };
/** Also reads how old the guest's account is. */
const PASSES_THE_GATE = {
  'USER#*': ['GetItem', 'PutItem', 'Query'],
  'LIMIT#*': ['GetItem', 'UpdateItem'],
};
const LISTS_TEMPLATES = { 'index templates-by-end TEMPLATES': ['Query'] };
const LISTS_CAMPAIGNS = { 'index templates-by-end CAMPAIGNS': ['Query'] };
const LISTS_EXPIRING = { 'index coupons-by-expiry EXPIRY#*': ['Query'] };

/** All that each function may do to the table of its service, by what it reaches. */
const ON_THE_TABLE: Record<FunctionName, Record<string, string[]>> = {
  'claim-coupon': { ...ISSUES, ...PASSES_THE_GATE, 'CAMPAIGN#*': ['GetItem'] },
  'claim-coupon-batch': { ...ISSUES, 'REQUEST#*': ['BatchWriteItem', 'PutItem', 'UpdateItem'] },
  'show-claim': { 'REQUEST#*': ['GetItem'], 'USER#*': ['GetItem'] },
  'list-coupon-templates': { 'TEMPLATE#*': ['BatchGetItem', 'GetItem'], ...LISTS_TEMPLATES },
  'list-my-coupons': { 'USER#*': ['GetItem', 'Query'] },
  'manage-coupon-templates': { ...TAKES_STOCK, ...LISTS_TEMPLATES },
  'quote-coupons': { 'USER#*': ['Query'], 'TEMPLATE#*': ['GetItem'] },
  'use-coupon': { 'USER#*': ['GetItem', 'Query', 'UpdateItem'], 'TEMPLATE#*': ['GetItem'] },
  'expire-coupons': { ...LISTS_EXPIRING, 'USER#*': ['UpdateItem'] },
  'remind-expiring-coupons': {
    ...LISTS_EXPIRING,
    'USER#*': ['BatchGetItem'],
    'EXPIRY#REMINDED': ['GetItem', 'UpdateItem'],
  },
  'restock-coupons': { ...CHANGES_TEMPLATES, ...LISTS_TEMPLATES },
  'count-coupon-facts': {
    'FACT#*': ['PutItem'],
    'REPORT#*': ['UpdateItem'],
    'TEMPLATE#*': ['UpdateItem'],
  },
  'manage-grants': {
    'GRANT#*': ['GetItem', 'PutItem', 'Query', 'UpdateItem'],
    GRANTS: ['PutItem', 'Query'],
    'TEMPLATE#*': ['GetItem'],
  },
  'grant-coupons': { ...ISSUES, 'GRANT#*': READS_AND_WRITES },
  'grant-coupons-on-event': { ...ISSUES, ...LISTS_TEMPLATES },
  'manage-exchange-codes': {
    'CODEBATCH#*': READS_AND_WRITES,
    'TEMPLATE#*': ['GetItem', 'PutItem', 'Query', 'UpdateItem'],
  },
  'export-exchange-codes': { 'CODEBATCH#*': ['GetItem', 'UpdateItem'] },
  'exchange-coupon': {
    ...ISSUES,
    ...PASSES_THE_GATE,
    'CODE#*': ['PutItem'],
    'CODEBATCH#*': ['GetItem'],
  },
  'manage-campaigns': {
    'CAMPAIGN#*': ['GetItem', 'PutItem'],
    ...LISTS_CAMPAIGNS,
    ...CHANGES_TEMPLATES,
  },
  'list-campaigns': {
    'CAMPAIGN#*': ['GetItem'],
    ...LISTS_CAMPAIGNS,
    'TEMPLATE#*': ['BatchGetItem', 'GetItem'],
  },
  'show-coupon-report': { 'REPORT#*': ['Query'], 'TEMPLATE#*': ['GetItem'], 'CAMPAIGN#*': ['GetItem'] },
  'send-notification': {
    ...READS_TEXTS,
    'MESSAGE#*': ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'],
    'index messages-by-receiver *': ['Query'],
    'BROADCAST#*': ['GetItem', 'PutItem'],
    BROADCASTS: ['PutItem', 'Query'],
  },
  'queue-notifications': {},
  'schedule-notifications': {
    'index messages-by-due DUE#*': ['Query'],
    'MESSAGE#*': ['GetItem', 'UpdateItem'],
  },
  'dispatch-notification': {
    ...READS_TEXTS,
    'MESSAGE#*': READS_AND_WRITES,
    'DIGEST#*': ['PutItem', 'Query'],
    'GUEST#*': ['GetItem', 'PutItem', 'Query'],
    'INBOX#*': ['PutItem'],
    'SUPPRESSED#*': ['GetItem', 'PutItem'],
    'REFERENCE#*': ['PutItem'],
    'LIMIT#*': ['UpdateItem'],
    'TOKEN#*': ['GetItem', 'PutItem'],
  },
  'broadcast-notifications': {
    ...READS_TEXTS,
    'BROADCAST#*': ['GetItem', 'PutItem'],
    'MESSAGE#*': ['PutItem'],
  },
  'redrive-notifications': { 'MESSAGE#*': ['GetItem', 'UpdateItem'] },
  'receive-delivery-report': {
    'REFERENCE#*': ['GetItem'],
    'MESSAGE#*': ['GetItem', 'UpdateItem'],
    'GUEST#*': ['Query'],
    'SUPPRESSED#*': ['PutItem'],
  },
  'record-mail-events': {
    'MESSAGE#*': ['GetItem', 'UpdateItem'],
    'GUEST#*': ['Query'],
    'SUPPRESSED#*': ['PutItem'],
  },
  'manage-inbox': { 'INBOX#*': ['GetItem', 'Query', 'UpdateItem'] },
  'manage-notification-preferences': {
    'GUEST#*': ['GetItem', 'PutItem', 'Query'],
    'ENDPOINT#*': ['GetItem', 'PutItem'],
  },
  'manage-notification-templates': {
    TEMPLATES: ['GetItem', 'PutItem', 'Query'],
    'TEMPLATE#*': ['GetItem', 'PutItem'],
    'MESSAGE#*': ['PutItem'],
  },
  'manage-notification-rules': {
    ...READS_TEXTS,
    RULES: ['DeleteItem', 'GetItem', 'PutItem', 'Query'],
  },
  'notify-on-event': { ...READS_TEXTS, RULES: ['Query'], 'MESSAGE#*': READS_AND_WRITES },
  'manage-homestays': {
    'HOMESTAY#*': READS_AND_WRITES,
    'index homestays-by-host HOST#*': ['Query'],
    'IMPORT#*': READS_AND_WRITES,
    'index jobs-by-start IMPORTS': ['Query'],
  },
  'import-homestays': {
    'HOMESTAY#*': ['BatchGetItem', 'PutItem', 'UpdateItem'],
    'IMPORT#*': ['GetItem', 'UpdateItem'],
  },
  'index-homestay': {},
  'reindex-homestays': {
    'HOMESTAY#*': ['BatchGetItem'],
    'REBUILD#*': ['DeleteItem', 'GetItem', 'PutItem'],
  },
  'manage-search-index': {
    'REBUILD#*': ['DeleteItem', 'GetItem', 'PutItem'],
    'index jobs-by-start REBUILDS': ['Query'],
    'index jobs-by-start RECONCILIATIONS': ['Query'],
  },
  'prepare-search-domain': {},
  'search-homestays': {},
  'suggest-homestays': { HOT: ['GetItem'] },
  'list-hot-searches': { HOT: ['GetItem'] },
  'manage-search-history': { 'HISTORY#*': ['BatchWriteItem', 'DeleteItem', 'PutItem', 'Query'] },
  'record-search-click': {},
  'count-searches': { SALT: ['GetItem', 'PutItem'], 'FACTS#*': ['BatchWriteItem'], LATE: ['PutItem'] },
  'rank-hot-searches': {
    'FACTS#*': ['Query'],
    LATE: ['DeleteItem', 'Query'],
    'HOURS#*': ['PutItem', 'Query'],
    VOTES: ['PutItem', 'Query'],
    DAYS: ['PutItem'],
    HOT: ['GetItem', 'PutItem'],
  },
  'show-search-report': { DAYS: ['Query'] },
};

const CONSUMES = [
  'ChangeMessageVisibility',
  'DeleteMessage',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ReceiveMessage',
];
const DISPATCH_QUEUES = PRIORITIES.map((priority) => `${capitalized(priority)}NotificationQueue`);
const QUEUES_MESSAGES = each(DISPATCH_QUEUES, ['SendMessage']);
const CONNECTS = {
  '*': [
    'AssignPrivateIpAddresses',
    'CreateNetworkInterface',
    'DeleteNetworkInterface',
    'DescribeNetworkInterfaces',
    'DescribeSubnets',
    'UnassignPrivateIpAddresses',
  ],
};
/** On the file system that the functions share. */
const READS_INDEX = { ...CONNECTS, EmbeddedFileSystem: ['ClientMount'] };
const WRITES_INDEX = { ...CONNECTS, EmbeddedFileSystem: ['ClientMount', 'ClientWrite'] };
const READS_RULES = { SearchRulesProfile: ['GetLatestConfiguration', 'StartConfigurationSession'] };
const READS_POLICY = { RiskPolicyProfile: ['GetLatestConfiguration', 'StartConfigurationSession'] };

/** All else that each function may do beside logs and traces, by the resource it may do it to. */
const ELSEWHERE: Partial<Record<FunctionName, Record<string, string[]>>> = {
  'claim-coupon': { ...READS_POLICY, RiskKey: ['GetSecretValue'] },
  'claim-coupon-batch': { ClaimQueue: CONSUMES },
  'show-claim': { ClaimQueue: ['GetQueueAttributes'] },
  'expire-coupons': { ExpireCouponsDeadLetters: ['SendMessage'] },
  'remind-expiring-coupons': {
    NotificationEventQueue: ['SendMessage'],
    RemindExpiringCouponsDeadLetters: ['SendMessage'],
  },
  'restock-coupons': { RestockCouponsDeadLetters: ['SendMessage'] },
  'count-coupon-facts': {
    CouponTable: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'],
    CountCouponFactsDeadLetters: ['GetQueueAttributes', 'GetQueueUrl', 'SendMessage'],
  },
  'manage-grants': {
    'JobBucket/uploads/*': ['GetObject', 'PutObject'],
    'JobBucket/grants/*': ['GetObject'],
    JobBucket: ['ListBucket'],
    GrantQueue: ['SendMessage'],
  },
  'grant-coupons': {
    'JobBucket/uploads/*': ['GetObject'],
    'JobBucket/grants/*': ['GetObject', 'PutObject'],
    JobBucket: ['ListBucket'],
    GrantQueue: [...CONSUMES, 'SendMessage'],
    UserPool: ['ListUsers', 'ListUsersInGroup'],
  },
  'grant-coupons-on-event': { RewardQueue: CONSUMES },
  'manage-exchange-codes': {
    CodeQueue: ['SendMessage'],
    'JobBucket/codes/*': ['GetObject'],
  },
  'export-exchange-codes': {
    'JobBucket/codes/*': ['AbortMultipartUpload', 'PutObject'],
    ExchangeKey: ['GetSecretValue'],
    CodeQueue: CONSUMES,
  },
  'exchange-coupon': {
    ...READS_POLICY,
    ExchangeKey: ['GetSecretValue'],
    RiskKey: ['GetSecretValue'],
  },
  'send-notification': { BroadcastQueue: ['SendMessage'] },
  'queue-notifications': {
    ...QUEUES_MESSAGES,
    NotificationTable: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'],
    QueueNotificationsDeadLetters: ['GetQueueAttributes', 'GetQueueUrl', 'SendMessage'],
    'SchedulesGroup/*': ['CreateSchedule'],
    SchedulesRole: ['PassRole'],
  },
  'schedule-notifications': { ...QUEUES_MESSAGES, ScheduleNotificationsDeadLetters: ['SendMessage'] },
  'dispatch-notification': {
    ...each(DISPATCH_QUEUES, [...CONSUMES, 'SendMessage']),
    ...each(deadLettersOf(DISPATCH_QUEUES), ['SendMessage']),
    NotificationChannelsProfile: ['GetLatestConfiguration', 'StartConfigurationSession'],
    ProviderSecrets: ['GetSecretValue'],
    MailConfigurationSet: ['SendEmail'],
    'identity/mail.example.com': ['SendEmail'],
    '*': ['Publish'],
  },
  'broadcast-notifications': {
    BroadcastQueue: [...CONSUMES, 'SendMessage'],
    UserPool: ['ListUsers', 'ListUsersInGroup'],
  },
  'redrive-notifications': {
    ...QUEUES_MESSAGES,
    ...each(deadLettersOf(DISPATCH_QUEUES), [
      'ChangeMessageVisibility',
      'DeleteMessage',
      'GetQueueAttributes',
      'ReceiveMessage',
    ]),
  },
  'receive-delivery-report': {
    NotificationChannelsProfile: ['GetLatestConfiguration', 'StartConfigurationSession'],
    ProviderSecrets: ['GetSecretValue'],
  },
  'record-mail-events': { MailEventQueue: CONSUMES },
  'manage-notification-preferences': {
    'app/APNS/flashsale': ['CreatePlatformEndpoint'],
    'app/GCM/flashsale': ['CreatePlatformEndpoint'],
    'endpoint/APNS/flashsale/*': ['SetEndpointAttributes'],
    'endpoint/GCM/flashsale/*': ['SetEndpointAttributes'],
  },
  'notify-on-event': { NotificationEventQueue: CONSUMES },
  'manage-homestays': {
    'JobBucket/imports/uploads/*': ['PutObject'],
    'JobBucket/imports/*': ['GetObject'],
    JobBucket: ['ListBucket'],
    HomestayImportQueue: ['SendMessage'],
  },
  'import-homestays': {
    'JobBucket/imports/*': ['GetObject', 'PutObject'],
    JobBucket: ['ListBucket'],
    HomestayImportQueue: [...CONSUMES, 'SendMessage'],
  },
  'index-homestay': {
    ...WRITES_INDEX,
    HomestayTable: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'],
    IndexHomestayDeadLetters: ['GetQueueAttributes', 'GetQueueUrl', 'SendMessage'],
  },
  'reindex-homestays': {
    ...WRITES_INDEX,
    HomestayTable: ['DescribeTable', 'Scan'],
    ReindexQueue: [...CONSUMES, 'SendMessage'],
    ReindexHomestaysDeadLetters: ['SendMessage'],
  },
  'manage-search-index': { ...WRITES_INDEX, ReindexQueue: ['SendMessage'] },
  'prepare-search-domain': WRITES_INDEX,
  'search-homestays': { ...READS_INDEX, ...READS_RULES, SearchEventQueue: ['SendMessage'] },
  'suggest-homestays': READS_INDEX,
  'record-search-click': { SearchEventQueue: ['SendMessage'] },
  'count-searches': { SearchEventQueue: CONSUMES },
  'rank-hot-searches': { ...READS_RULES, RankHotSearchesDeadLetters: ['SendMessage'] },
};

describe('permissions', () => {
  it.each(FUNCTION_NAMES)('%s does to the table what its use case needs, and no more', (name) => {
    expect(tablePermissions(name)).toEqual(ON_THE_TABLE[name]);
  });

  it.each(FUNCTION_NAMES)('%s touches nothing else but what it is listed for', (name) => {
    expect(otherPermissions(name)).toEqual(ELSEWHERE[name] ?? {});
  });

  it('no function may scan but the one that reads every homestay', () => {
    expect(JSON.stringify(statements())).not.toContain('PartiQL');
    const scanning = FUNCTION_NAMES.filter((name) => JSON.stringify(statements(name)).includes('Scan'));
    expect(scanning).toEqual(['reindex-homestays']);
  });

  it('no function may delete items but what an operator or a guest takes back, and marks of work that is done', () => {
    const deleting = FUNCTION_NAMES.filter((name) => JSON.stringify(statements(name)).includes('DeleteItem'));
    expect(deleting).toEqual([
      'manage-notification-rules',
      'reindex-homestays',
      'manage-search-index',
      'manage-search-history',
      'rank-hot-searches',
    ]);
  });

  it('no function has a wildcard action, nor a wildcard resource but for traces, phone numbers and networks', () => {
    for (const { Action, Resource } of statements()) {
      const actions = [Action].flat();
      expect(actions.join()).not.toContain('*');
      if (JSON.stringify(Resource).includes('"*"')) {
        const isKnown = (action: string) =>
          /^(xray:Put|sns:Publish$|ec2:.*(NetworkInterface|PrivateIpAddress|DescribeSubnets))/.test(action);
        expect(actions.filter((action) => !isKnown(action))).toEqual([]);
      }
    }
  });

  it('who may publish to any phone number may publish to none of our topics', () => {
    const publishing = FUNCTION_NAMES.filter((name) =>
      JSON.stringify(statements(name)).includes('sns:Publish'),
    );
    expect(publishing).toEqual(['dispatch-notification']);
    const denied = statements('dispatch-notification').filter(({ Effect }) => Effect === 'Deny');
    expect(denied.map(({ Action }) => Action)).toEqual(['sns:Publish']);
    expect(JSON.stringify(denied)).toContain(':Flashsale-prod-*');
  });

  it('who makes schedules may hand over the one role that invokes the one function, to Scheduler alone', () => {
    const [passing, ...others] = statements().filter(({ Action }) => Action === 'iam:PassRole');
    expect(others).toEqual([]);
    expect(passing?.Condition).toEqual({
      StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' },
    });
    const policy = only(policies.filter(({ id }) => id.startsWith('SchedulesRoleDefaultPolicy')));
    const statement = only(policy.Properties.PolicyDocument.Statement as Statement[]);
    expect(statement.Action).toBe('lambda:InvokeFunction');
    expect(JSON.stringify(statement.Resource)).toMatch(/"ScheduleNotifications[0-9A-F]{8}"/);
  });

  it('no function has a managed policy', () => {
    for (const role of resourcesOf(prod, 'AWS::IAM::Role')) {
      expect(role.Properties.ManagedPolicyArns).toBeUndefined();
    }
  });
});

const URLS_OF_QUEUES = PRIORITIES.map((priority) => `${priority.toUpperCase()}_QUEUE_URL`);
const URLS_OF_DEAD_LETTERS = PRIORITIES.map((priority) => `${priority.toUpperCase()}_DEAD_LETTERS_URL`);

/** Beside the table of its service, which every function has that reads or writes it. */
const ENVIRONMENT: Partial<Record<FunctionName, string[]>> = {
  'claim-coupon': ['RISK_KEY_SECRET', 'RISK_POLICY'],
  'show-claim': ['CLAIM_QUEUE_URL'],
  'remind-expiring-coupons': ['NOTIFICATION_EVENT_QUEUE_URL'],
  'manage-grants': ['GRANT_QUEUE_URL', 'JOB_BUCKET'],
  'grant-coupons': ['GRANT_QUEUE_URL', 'JOB_BUCKET', 'USER_POOL_ID'],
  'manage-exchange-codes': ['CODE_QUEUE_URL', 'JOB_BUCKET'],
  'export-exchange-codes': ['EXCHANGE_KEY_SECRET', 'JOB_BUCKET'],
  'exchange-coupon': ['EXCHANGE_KEY_SECRET', 'RISK_KEY_SECRET', 'RISK_POLICY'],
  'send-notification': ['BROADCAST_QUEUE_URL'],
  'queue-notifications': [...URLS_OF_QUEUES, 'SCHEDULE_GROUP', 'SCHEDULE_ROLE_ARN', 'SCHEDULE_TARGET_ARN'],
  'schedule-notifications': URLS_OF_QUEUES,
  'dispatch-notification': [
    ...URLS_OF_QUEUES,
    ...URLS_OF_DEAD_LETTERS,
    'NOTIFICATION_CHANNELS',
    'PROVIDER_SECRETS',
  ],
  'broadcast-notifications': ['BROADCAST_QUEUE_URL', 'USER_POOL_ID'],
  'redrive-notifications': [...URLS_OF_QUEUES, ...URLS_OF_DEAD_LETTERS],
  'receive-delivery-report': ['NOTIFICATION_CHANNELS', 'PROVIDER_SECRETS'],
  'manage-notification-preferences': ['APNS_APPLICATION_ARN', 'FCM_APPLICATION_ARN'],
  'manage-homestays': ['HOMESTAY_TABLE', 'IMPORT_QUEUE_URL', 'JOB_BUCKET'],
  'import-homestays': ['HOMESTAY_TABLE', 'IMPORT_QUEUE_URL', 'JOB_BUCKET'],
  'index-homestay': ['SEARCH_INDEX'],
  'reindex-homestays': ['AWS_ENDPOINT_URL_SQS', 'HOMESTAY_TABLE', 'REINDEX_QUEUE_URL', 'SEARCH_INDEX'],
  'manage-search-index': ['AWS_ENDPOINT_URL_SQS', 'HOMESTAY_TABLE', 'REINDEX_QUEUE_URL', 'SEARCH_INDEX'],
  'prepare-search-domain': ['SEARCH_INDEX'],
  'search-homestays': [
    'AWS_ENDPOINT_URL_APPCONFIGDATA',
    'AWS_ENDPOINT_URL_SQS',
    'SEARCH_EVENT_QUEUE_URL',
    'SEARCH_INDEX',
    'SEARCH_RULES',
  ],
  'suggest-homestays': ['SEARCH_INDEX', 'SEARCH_TABLE'],
  'list-hot-searches': ['SEARCH_TABLE'],
  'manage-search-history': ['SEARCH_TABLE'],
  'record-search-click': ['SEARCH_EVENT_QUEUE_URL'],
  'count-searches': ['SEARCH_TABLE'],
  'rank-hot-searches': ['SEARCH_RULES', 'SEARCH_TABLE'],
  'show-search-report': ['SEARCH_TABLE'],
};

/** Where one table is all that a service knows. */
const TABLES: Partial<Record<StackName, string>> = {
  Coupon: 'COUPON_TABLE',
  Marketing: 'COUPON_TABLE',
  Notification: 'NOTIFICATION_TABLE',
};

describe('a function', () => {
  it('is a traced binary on the bare OS runtime, on arm64', () => {
    for (const { Properties } of functions) {
      expect(Properties).toMatchObject({
        Runtime: 'provided.al2023',
        Handler: 'bootstrap',
        Architectures: ['arm64'],
        TracingConfig: { Mode: 'Active' },
        LoggingConfig: { LogFormat: 'JSON' },
      });
    }
  });

  it('learns its stage and metrics from its environment', () => {
    for (const { Properties } of functions) {
      expect(Properties.Environment.Variables).toMatchObject({
        STAGE: 'prod',
        RUST_LOG: 'info',
        METRICS_NAMESPACE: 'Flashsale',
      });
    }
  });

  it.each(FUNCTION_NAMES)('%s learns what else it needs, and no more', (name) => {
    const { stack, Properties } = only(functions.filter(({ id }) => isOf(id, name)));
    const table = TABLES[stack];
    const tables = table && Object.keys(ON_THE_TABLE[name]).length > 0 ? [table] : [];
    const common = [...tables, 'METRICS_NAMESPACE', 'RUST_LOG', 'STAGE'];
    expect(Object.keys(Properties.Environment.Variables).sort()).toEqual(
      [...common, ...(ENVIRONMENT[name] ?? [])].sort(),
    );
  });

  it('keeps its logs for a limited time', () => {
    for (const group of resourcesOf(prod, 'AWS::Logs::LogGroup')) {
      expect(group.Properties.RetentionInDays).toBe(90);
    }
  });

  it('shares the account’s pool unless the context says otherwise; one run of a kind at a time in prod', () => {
    expect(reservedIn(prod)).toEqual({ ExpireCoupons: 1, IndexHomestay: 4, RankHotSearches: 1 });
    expect(reservedIn(synthesize('dev'))).toEqual({});
    const context = { reservedConcurrency: 'claim-coupon=200,expire-coupons=2' };
    expect(reservedIn(synthesize('prod', context))).toEqual({
      ClaimCoupon: 200,
      ExpireCoupons: 2,
      IndexHomestay: 4,
      RankHotSearches: 1,
    });
  });

  it('runs on the host’s architecture when told to', () => {
    for (const { Properties } of resourcesOf(
      synthesize('local', { architecture: 'x86_64' }),
      'AWS::Lambda::Function',
    )) {
      expect(Properties.Architectures).toEqual(['x86_64']);
    }
  });

  it('gets a placeholder, with a warning, when its binary was not built', () => {
    const { violations } = synthesize('dev', { bundles: '/nowhere' });
    const warned = violations.map(({ violatingConstructs }) => violatingConstructs[0]?.constructPath);
    expect(warned.map((it) => it?.split('/')[1]).sort()).toEqual(FUNCTION_NAMES.map(logicalIdOf).sort());
  });

  it('keeps the environment its caller gives it', () => {
    const stack = new Stack(new App(), 'Test');
    functionIn(stack, { environment: { RUST_LOG: 'debug', EXTRA: 'yes' } });
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { RUST_LOG: 'debug', EXTRA: 'yes', STAGE: 'dev' } },
    });
  });
});

describe('triggers', () => {
  const mappings = resourcesOf(prod, MAPPING).map(({ Properties }) => Properties);
  const schedules = resourcesOf(prod, SCHEDULE).map(({ Properties }) => Properties);
  const ofQueue = (queue: string) =>
    only(mappings.filter(({ EventSourceArn }) => JSON.stringify(EventSourceArn).includes(queue)));

  it('start every function', () => {
    const started = [...mappings, ...schedules].map((it) => JSON.stringify([it.FunctionName, it.Target]));
    for (const name of FUNCTION_NAMES) {
      const isRouted = ROUTES.some((route) => route.target === name);
      const isTriggered = started.some((it) => new RegExp(`"${logicalIdOf(name)}[0-9A-F]{8}"`).test(it));
      // It is called while its stack is deployed.
      const isDeployed = name === 'prepare-search-domain';
      expect(isRouted || isTriggered || isDeployed, `nothing starts ${name}`).toBe(true);
    }
  });

  it('let every function that takes batches say which parts of one failed', () => {
    for (const { FunctionResponseTypes } of mappings) {
      expect(FunctionResponseTypes).toEqual(['ReportBatchItemFailures']);
    }
  });

  it('take up to a hundred claims at once, and chunks of batch work one by one', () => {
    expect(ofQueue('ClaimQueue')).toMatchObject({ BatchSize: 100, MaximumBatchingWindowInSeconds: 1 });
    expect(ofQueue('RewardQueue')).toMatchObject({ BatchSize: 10 });
    expect(ofQueue('GrantQueue')).toMatchObject({ BatchSize: 1 });
    expect(ofQueue('CodeQueue')).toMatchObject({ BatchSize: 1 });
    expect(ofQueue('NotificationEventQueue')).toMatchObject({ BatchSize: 10 });
    expect(ofQueue('BroadcastQueue')).toMatchObject({ BatchSize: 1 });
    expect(ofQueue('MailEventQueue')).toMatchObject({ BatchSize: 10 });
    expect(ofQueue('HomestayImportQueue')).toMatchObject({ BatchSize: 1 });
    expect(ofQueue('ReindexQueue')).toMatchObject({ BatchSize: 1 });
    expect(ofQueue('SearchEventQueue')).toMatchObject({
      BatchSize: 1000,
      MaximumBatchingWindowInSeconds: 10,
    });
  });

  it.each([
    ['urgent', 50],
    ['high', 20],
    ['normal', 20],
    ['low', 5],
  ] as const)(
    'take %s messages by tens, without waiting for more, up to %i times at once',
    (priority, most) => {
      const mapping = ofQueue(`${capitalized(priority)}NotificationQueue`);
      expect(JSON.stringify(mapping.FunctionName)).toContain('DispatchNotification');
      expect(mapping.BatchSize).toBe(10);
      expect(mapping.MaximumBatchingWindowInSeconds).toBeUndefined();
      expect(mapping.ScalingConfig).toEqual({ MaximumConcurrency: most });
    },
  );

  it('let the context say how many batches of each priority are under way', () => {
    const context = { dispatchConcurrency: 'urgent=77,low=3' };
    const found = resourcesOf(synthesize('prod', context), MAPPING).map(({ Properties }) => [
      /(\w+)NotificationQueue/.exec(JSON.stringify(Properties.EventSourceArn))?.[1],
      Properties.ScalingConfig?.MaximumConcurrency,
    ]);
    expect(JSON.stringify(found)).toMatch(/Urgent",77/);
    expect(JSON.stringify(found)).toMatch(/Low",3/);
    expect(JSON.stringify(found)).toMatch(/High",20/);
  });

  it('bound what a backlog may take from the account’s concurrency', () => {
    expect(ofQueue('ClaimQueue').ScalingConfig).toEqual({ MaximumConcurrency: 100 });
    for (const queue of [
      'RewardQueue',
      'GrantQueue',
      'CodeQueue',
      'NotificationEventQueue',
      'BroadcastQueue',
      'MailEventQueue',
      'HomestayImportQueue',
      'ReindexQueue',
      'SearchEventQueue',
    ]) {
      expect(ofQueue(queue).ScalingConfig.MaximumConcurrency).toBeLessThanOrEqual(10);
    }
    const context = { queuedClaimConcurrency: '7' };
    expect(JSON.stringify(resourcesOf(synthesize('prod', context), MAPPING))).toContain(
      '"MaximumConcurrency":7',
    );
  });

  it.each([
    ['CouponTable', 1000, 10, '{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"COUPON#"}]}}}}'],
    ['HomestayTable', 100, 1, '{"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"HOMESTAY#"}]}}}}'],
    [
      'NotificationTable',
      100,
      10,
      '{"eventName":["INSERT"],"dynamodb":{"Keys":{"pk":{"S":[{"prefix":"MESSAGE#"}]}}}}',
    ],
  ])(
    'hand on of %s what matters alone, and do not let one bad record hold up a shard',
    (table, size, parallelism, pattern) => {
      expect(ofQueue(table)).toMatchObject({
        FilterCriteria: { Filters: [{ Pattern: pattern }] },
        BatchSize: size,
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 10,
        MaximumRecordAgeInSeconds: 86_400,
        ParallelizationFactor: parallelism,
        DestinationConfig: { OnFailure: { Destination: expect.anything() } },
        StartingPosition: 'TRIM_HORIZON',
      });
    },
  );

  it('hand on a message that was accepted at once: somebody may wait for a code', () => {
    expect(ofQueue('NotificationTable').MaximumBatchingWindowInSeconds).toBe(0);
  });

  it('hand on a homestay that was published at once: its host looks for it', () => {
    expect(ofQueue('HomestayTable').MaximumBatchingWindowInSeconds).toBe(0);
  });

  it.each([
    ['ExpireCoupons', 'rate(5 minutes)'],
    ['RemindExpiringCoupons', 'rate(10 minutes)'],
    ['RestockCoupons', 'rate(1 minute)'],
    ['ScheduleNotifications', 'rate(1 minute)'],
    ['ReindexHomestays', 'rate(60 minutes)'],
    ['RankHotSearches', 'rate(5 minutes)'],
  ])('run %s at a %s, and keep what failed', (id, expression) => {
    const schedule = only(schedules.filter(({ Target }) => Target.Arn['Fn::GetAtt'][0].startsWith(id)));
    expect(schedule.ScheduleExpression).toBe(expression);
    const deadLetters = schedule.Target.DeadLetterConfig.Arn;
    expect(deadLetters['Fn::GetAtt'][0]).toContain(`${id}DeadLetters`);
    const { Properties } = only(functions.filter((it) => it.id.startsWith(id)));
    expect(Properties.DeadLetterConfig.TargetArn).toEqual(deadLetters);
  });

  it('do not repeat a run that failed, for the next one comes anyway, but do where it may be a single message', () => {
    const configs = resourcesOf(prod, 'AWS::Lambda::EventInvokeConfig');
    expect(configs).toHaveLength(schedules.length);
    for (const { id, Properties } of configs) {
      const isSingle = id.startsWith('ScheduleNotifications');
      expect(Properties.MaximumRetryAttempts).toBe(isSingle ? 2 : 0);
    }
  });

  it('refuse a function whose time-out its queue does not reckon with', () => {
    const stack = new Stack(new App(), 'Test');
    const queue = new WorkQueue(stack, 'Queue', {
      title: 'queue',
      handlerTimeout: Duration.seconds(2),
      staleAfter: Duration.minutes(1),
    });
    expect(() => takeFrom(queue, functionIn(stack), { batchSize: 1, maxConcurrency: 2 })).toThrow('time-out');
  });
});

function functionIn(stack: Stack, props: { environment?: Record<string, string> } = {}): RustFunction {
  return new RustFunction(stack, 'Fn', {
    config: readConfig(stack.node),
    name: 'claim-coupon',
    description: 'test',
    memorySize: 128,
    timeout: Duration.seconds(1),
    p99Goal: Duration.seconds(1),
    permissions: [],
    ...props,
  });
}

interface Found {
  readonly stack: StackName;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape depends on the type of the resource.
  readonly Properties: any;
}

/** Of all stacks of functions, but for what the CDK adds to run one of them during a deployment, and for networks. */
function resourcesOf({ template }: Synthesized, type: string): Found[] {
  return STACKS_OF_FUNCTIONS.flatMap((stack) =>
    Object.entries(template(stack).findResources(type)).map(([id, { Properties }]) => ({
      stack,
      id,
      Properties,
    })),
  ).filter(({ id }) => !/^(Preparationframework|EmbeddedNetwork)/.test(id));
}

function capitalized(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`;
}

/** The same for each. */
function each(names: readonly string[], actions: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(names.map((name) => [name, [...actions].sort()]));
}

function deadLettersOf(queues: readonly string[]): string[] {
  return queues.map((queue) => `${queue}DeadLetters`);
}

/** Whether a logical id, which ends in a hash, is that of a function or of something named after it. */
function isOf(id: string, name: FunctionName, suffix = ''): boolean {
  return new RegExp(`^${logicalIdOf(name)}${suffix}[0-9A-F]{8}$`).test(id);
}

function only<T>(found: readonly T[]): T {
  expect(found).toHaveLength(1);
  return found[0] as T;
}

function reservedIn(synthesized: Synthesized): Record<string, number> {
  const reserved = resourcesOf(synthesized, 'AWS::Lambda::Function').filter(
    ({ Properties }) => Properties.ReservedConcurrentExecutions !== undefined,
  );
  return Object.fromEntries(
    reserved.map(({ id, Properties }) => [id.slice(0, -8), Properties.ReservedConcurrentExecutions]),
  );
}

function statements(name?: FunctionName): Statement[] {
  return policies
    .filter(({ id }) => name === undefined || isOf(id, name, 'RoleDefaultPolicy'))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
}

/** Actions on the table by what they reach: kinds of items, or keys of an index. */
function tablePermissions(name: FunctionName): Record<string, string[]> {
  const permissions: Record<string, string[]> = {};
  for (const { Effect, Action, Resource, Condition } of statements(name)) {
    if (!Condition?.['ForAllValues:StringLike']) continue;
    expect(Effect).toBe('Allow');
    const index = /\/index\/([\w-]+)"/.exec(JSON.stringify(Resource))?.[1];
    const keys = [Condition['ForAllValues:StringLike']?.['dynamodb:LeadingKeys']].flat().join();
    permissions[index ? `index ${index} ${keys}` : `${keys}`] = actionsIn(Action);
  }
  return permissions;
}

/** All other actions, by the resource; each action on items must have a condition. What is denied has a test of its own. */
function otherPermissions(name: FunctionName): Record<string, string[]> {
  const permissions: Record<string, string[]> = {};
  for (const { Effect, Action, Resource, Condition } of statements(name)) {
    const actions = [Action].flat().filter((action) => !/^(xray|logs):/.test(action));
    if (Effect === 'Deny' || Condition?.['ForAllValues:StringLike'] || actions.length === 0) continue;
    for (const resource of [Resource].flat()) {
      const reach = reachOf(JSON.stringify(resource));
      permissions[reach] = [...(permissions[reach] ?? []), ...actionsIn(actions)].sort();
    }
  }
  return permissions;
}

/** `JobBucket/codes/*` of the ARN of these files, whether it is of the same stack or imported; its end, if it has no id. */
function reachOf(resource: string): string {
  const ids = [
    ...resource.matchAll(/(?:"|GetAtt|Ref)([A-Z][A-Za-z]+?)(?:ConfigurationProfile)?[0-9A-F]{8}/g),
  ];
  const named = /(?::|^")((?:app|endpoint|identity)\/[^"]+|\*)"/.exec(resource)?.[1];
  const id = ids.at(-1)?.[1];
  return id === undefined ? `${named}` : `${id}${/(\/\w+)*\/\*/.exec(resource)?.[0] ?? ''}`;
}

function actionsIn(action: string | string[]): string[] {
  return [action]
    .flat()
    .map((it) => it.replace(/^.*:/, ''))
    .sort();
}

import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../lib/config.ts';
import { RustFunction } from '../lib/constructs/rust-function.ts';
import { takeFrom } from '../lib/constructs/triggers.ts';
import { WorkQueue } from '../lib/constructs/work-queue.ts';
import { FUNCTION_NAMES, type FunctionName } from '../lib/functions.ts';
import { ROUTES } from '../lib/routes.ts';
import { logicalIdOf, type Synthesized, synthesize } from './synthesize.ts';

const MAPPING = 'AWS::Lambda::EventSourceMapping';
const SCHEDULE = 'AWS::Scheduler::Schedule';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, string[]>>;
}

const prod = synthesize('prod');
const policies = resourcesOf(prod, 'AWS::IAM::Policy');
const functions = resourcesOf(prod, 'AWS::Lambda::Function');

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

/** All that each function may do to the table, by what it reaches. */
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
};

const CONSUMES = [
  'ChangeMessageVisibility',
  'DeleteMessage',
  'GetQueueAttributes',
  'GetQueueUrl',
  'ReceiveMessage',
];
const READS_POLICY = { RiskPolicyProfile: ['GetLatestConfiguration', 'StartConfigurationSession'] };

/** All else that each function may do beside logs and traces, by the resource it may do it to. */
const ELSEWHERE: Partial<Record<FunctionName, Record<string, string[]>>> = {
  'claim-coupon': { ...READS_POLICY, RiskKey: ['GetSecretValue'] },
  'claim-coupon-batch': { ClaimQueue: CONSUMES },
  'show-claim': { ClaimQueue: ['GetQueueAttributes'] },
  'expire-coupons': { ExpireCouponsDeadLetters: ['SendMessage'] },
  'remind-expiring-coupons': {
    NotificationQueue: ['SendMessage'],
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
};

describe('permissions', () => {
  it.each(FUNCTION_NAMES)('%s does to the table what its use case needs, and no more', (name) => {
    expect(tablePermissions(name)).toEqual(ON_THE_TABLE[name]);
  });

  it.each(FUNCTION_NAMES)('%s touches nothing else but what it is listed for', (name) => {
    expect(otherPermissions(name)).toEqual(ELSEWHERE[name] ?? {});
  });

  it('no function may scan or delete items', () => {
    expect(JSON.stringify(statements())).not.toMatch(/Scan|DeleteItem|PartiQL/);
  });

  it('no function has a wildcard action, nor a wildcard resource but for traces', () => {
    for (const { Action, Resource } of statements()) {
      const actions = [Action].flat();
      expect(actions.join()).not.toContain('*');
      if (JSON.stringify(Resource).includes('"*"')) {
        expect(actions.every((action) => action.startsWith('xray:Put'))).toBe(true);
      }
    }
  });

  it('no function has a managed policy', () => {
    for (const role of resourcesOf(prod, 'AWS::IAM::Role')) {
      expect(role.Properties.ManagedPolicyArns).toBeUndefined();
    }
  });
});

/** Beside COUPON_TABLE, which every function has. */
const ENVIRONMENT: Partial<Record<FunctionName, string[]>> = {
  'claim-coupon': ['RISK_KEY_SECRET', 'RISK_POLICY'],
  'show-claim': ['CLAIM_QUEUE_URL'],
  'remind-expiring-coupons': ['NOTIFICATION_QUEUE_URL'],
  'manage-grants': ['GRANT_QUEUE_URL', 'JOB_BUCKET'],
  'grant-coupons': ['GRANT_QUEUE_URL', 'JOB_BUCKET', 'USER_POOL_ID'],
  'manage-exchange-codes': ['CODE_QUEUE_URL', 'JOB_BUCKET'],
  'export-exchange-codes': ['EXCHANGE_KEY_SECRET', 'JOB_BUCKET'],
  'exchange-coupon': ['EXCHANGE_KEY_SECRET', 'RISK_KEY_SECRET', 'RISK_POLICY'],
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

  it('learns its table, stage and metrics from its environment', () => {
    for (const { Properties } of functions) {
      expect(Properties.Environment.Variables).toMatchObject({
        COUPON_TABLE: expect.anything(),
        STAGE: 'prod',
        RUST_LOG: 'info',
        METRICS_NAMESPACE: 'Flashsale',
      });
    }
  });

  it.each(FUNCTION_NAMES)('%s learns what else it needs, and no more', (name) => {
    const common = ['COUPON_TABLE', 'METRICS_NAMESPACE', 'RUST_LOG', 'STAGE'];
    const { Properties } = only(functions.filter(({ id }) => isOf(id, name)));
    expect(Object.keys(Properties.Environment.Variables).sort()).toEqual(
      [...common, ...(ENVIRONMENT[name] ?? [])].sort(),
    );
  });

  it('keeps its logs for a limited time', () => {
    for (const group of resourcesOf(prod, 'AWS::Logs::LogGroup')) {
      expect(group.Properties.RetentionInDays).toBe(90);
    }
  });

  it('shares the account’s pool unless the context says otherwise; one run of expiry at a time in prod', () => {
    expect(reservedIn(prod)).toEqual({ ExpireCoupons: 1 });
    expect(reservedIn(synthesize('dev'))).toEqual({});
    const context = { reservedConcurrency: 'claim-coupon=200,expire-coupons=2' };
    expect(reservedIn(synthesize('prod', context))).toEqual({ ClaimCoupon: 200, ExpireCoupons: 2 });
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
      expect(isRouted || isTriggered, `nothing starts ${name}`).toBe(true);
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
  });

  it('bound what a backlog may take from the account’s concurrency', () => {
    expect(ofQueue('ClaimQueue').ScalingConfig).toEqual({ MaximumConcurrency: 100 });
    for (const queue of ['RewardQueue', 'GrantQueue', 'CodeQueue']) {
      expect(ofQueue(queue).ScalingConfig.MaximumConcurrency).toBeLessThanOrEqual(10);
    }
    const context = { queuedClaimConcurrency: '7' };
    expect(JSON.stringify(resourcesOf(synthesize('prod', context), MAPPING))).toContain(
      '"MaximumConcurrency":7',
    );
  });

  it('hand on the changes of coupons alone, and do not let one bad record hold up a shard', () => {
    const stream = only(mappings.filter((it) => it.StartingPosition !== undefined));
    expect(stream).toMatchObject({
      FilterCriteria: {
        Filters: [{ Pattern: '{"dynamodb":{"Keys":{"sk":{"S":[{"prefix":"COUPON#"}]}}}}' }],
      },
      BatchSize: 1000,
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 10,
      MaximumRecordAgeInSeconds: 86_400,
      ParallelizationFactor: 10,
      DestinationConfig: { OnFailure: { Destination: expect.anything() } },
      StartingPosition: 'TRIM_HORIZON',
    });
  });

  it.each([
    ['ExpireCoupons', 'rate(5 minutes)'],
    ['RemindExpiringCoupons', 'rate(10 minutes)'],
    ['RestockCoupons', 'rate(1 minute)'],
  ])('run %s at a %s, and keep what failed', (id, expression) => {
    const schedule = only(schedules.filter(({ Target }) => Target.Arn['Fn::GetAtt'][0].startsWith(id)));
    expect(schedule.ScheduleExpression).toBe(expression);
    const deadLetters = schedule.Target.DeadLetterConfig.Arn;
    expect(deadLetters['Fn::GetAtt'][0]).toContain(`${id}DeadLetters`);
    const { Properties } = only(functions.filter((it) => it.id.startsWith(id)));
    expect(Properties.DeadLetterConfig.TargetArn).toEqual(deadLetters);
  });

  it('do not repeat a run that failed: the next one comes anyway', () => {
    const configs = resourcesOf(prod, 'AWS::Lambda::EventInvokeConfig');
    expect(configs).toHaveLength(schedules.length);
    for (const { Properties } of configs) expect(Properties.MaximumRetryAttempts).toBe(0);
  });

  it('refuse a function whose time-out its queue does not reckon with', () => {
    const stack = new Stack(new App(), 'Test');
    const queue = new WorkQueue(stack, 'Queue', { title: 'queue', handlerTimeout: Duration.seconds(2) });
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
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape depends on the type of the resource.
  readonly Properties: any;
}

/** Of both stacks of functions. */
function resourcesOf({ template }: Synthesized, type: string): Found[] {
  return (['Coupon', 'Marketing'] as const).flatMap((stack) =>
    Object.entries(template(stack).findResources(type)).map(([id, { Properties }]) => ({ id, Properties })),
  );
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
    const keys = Condition['ForAllValues:StringLike']?.['dynamodb:LeadingKeys']?.join();
    permissions[index ? `index ${index} ${keys}` : `${keys}`] = actionsIn(Action);
  }
  return permissions;
}

/** All other actions, by the resource; each action on items must have a condition. */
function otherPermissions(name: FunctionName): Record<string, string[]> {
  const permissions: Record<string, string[]> = {};
  for (const { Action, Resource, Condition } of statements(name)) {
    if (Condition?.['ForAllValues:StringLike'] || /^(xray|logs):/.test([Action].flat()[0] ?? '')) continue;
    for (const resource of [Resource].flat()) {
      const reach = reachOf(JSON.stringify(resource));
      permissions[reach] = [...(permissions[reach] ?? []), ...actionsIn(Action)].sort();
    }
  }
  return permissions;
}

/** `JobBucket/codes/*` of the ARN of these files, whether it is of the same stack or imported. */
function reachOf(resource: string): string {
  const ids = [
    ...resource.matchAll(/(?:"|GetAtt|Ref)([A-Z][A-Za-z]+?)(?:ConfigurationProfile)?[0-9A-F]{8}/g),
  ];
  return `${ids.at(-1)?.[1]}${/\/\w+\/\*/.exec(resource)?.[0] ?? ''}`;
}

function actionsIn(action: string | string[]): string[] {
  return [action]
    .flat()
    .map((it) => it.replace(/^.*:/, ''))
    .sort();
}

import { App, Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../lib/config.ts';
import { RustFunction } from '../lib/constructs/rust-function.ts';
import type { FunctionName } from '../lib/functions.ts';
import { synthesize } from './synthesize.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const TEMPLATES = 'items TEMPLATE#*';
const GUESTS = 'items USER#*';
const INDEX = 'index templates-by-end TEMPLATES';

const coupon = synthesize('prod').template('Coupon');

describe('permissions', () => {
  it('claim-coupon takes from stock, finishes top-ups, and reads and writes guests’ coupons', () => {
    expect(tablePermissions('claim-coupon')).toEqual({
      [TEMPLATES]: ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'],
      [GUESTS]: ['PutItem', 'Query'],
    });
  });

  it('list-my-coupons may only read guests’ partitions', () => {
    expect(tablePermissions('list-my-coupons')).toEqual({ [GUESTS]: ['GetItem', 'Query'] });
  });

  it('list-coupon-templates may only read templates', () => {
    expect(tablePermissions('list-coupon-templates')).toEqual({
      [TEMPLATES]: ['BatchGetItem', 'GetItem'],
      [INDEX]: ['Query'],
    });
  });

  it('manage-coupon-templates writes templates and sees no coupon', () => {
    expect(tablePermissions('manage-coupon-templates')).toEqual({
      [TEMPLATES]: ['BatchGetItem', 'GetItem', 'PutItem', 'UpdateItem'],
      [INDEX]: ['Query'],
    });
  });

  it('no function may scan or delete', () => {
    expect(JSON.stringify(statements())).not.toMatch(/Scan|Delete|PartiQL/);
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
    for (const role of Object.values(coupon.findResources('AWS::IAM::Role'))) {
      expect(role.Properties.ManagedPolicyArns).toBeUndefined();
    }
  });
});

describe('a function', () => {
  const functions = Object.values(coupon.findResources('AWS::Lambda::Function'));

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

  it('keeps its logs for a limited time', () => {
    for (const group of Object.values(coupon.findResources('AWS::Logs::LogGroup'))) {
      expect(group.Properties.RetentionInDays).toBe(90);
    }
  });

  it('reserves concurrency only by context', () => {
    const reserved = (context: Record<string, string>) =>
      Object.values(
        synthesize('prod', context).template('Coupon').findResources('AWS::Lambda::Function'),
      ).flatMap(({ Properties }) => Properties.ReservedConcurrentExecutions ?? []);
    expect(reserved({})).toEqual([]);
    expect(reserved({ reservedConcurrency: 'claim-coupon=200' })).toEqual([200]);
  });

  it('runs on the host’s architecture when told to', () => {
    const local = synthesize('local', { architecture: 'x86_64' }).template('Coupon');
    local.allResourcesProperties('AWS::Lambda::Function', { Architectures: ['x86_64'] });
  });

  it('gets a placeholder, with a warning, when its binary was not built', () => {
    const { violations } = synthesize('dev', { bundles: '/nowhere' });
    expect(violations.map(({ violatingConstructs }) => violatingConstructs[0]?.constructPath).sort()).toEqual(
      [
        'Flashsale-dev-Coupon/ClaimCoupon',
        'Flashsale-dev-Coupon/ListCouponTemplates',
        'Flashsale-dev-Coupon/ListMyCoupons',
        'Flashsale-dev-Coupon/ManageCouponTemplates',
      ],
    );
  });

  it('keeps the environment its caller gives it', () => {
    const stack = new Stack(new App(), 'Test');
    new RustFunction(stack, 'Fn', {
      config: readConfig(stack.node),
      name: 'claim-coupon',
      description: 'test',
      memorySize: 128,
      timeout: Duration.seconds(1),
      p99Goal: Duration.seconds(1),
      permissions: [],
      environment: { RUST_LOG: 'debug', EXTRA: 'yes' },
    });
    Template.fromStack(stack).hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: { RUST_LOG: 'debug', EXTRA: 'yes', STAGE: 'dev' } },
    });
  });
});

function statements(name?: FunctionName): Statement[] {
  const id = name?.replaceAll(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
  return Object.entries(coupon.findResources('AWS::IAM::Policy'))
    .filter(([logicalId]) => id === undefined || logicalId.startsWith(`${id}Role`))
    .flatMap(([, policy]) => policy.Properties.PolicyDocument.Statement as Statement[]);
}

/** Actions on the table by what they reach, as in `items USER#*`. */
function tablePermissions(name: FunctionName): Record<string, string[]> {
  const permissions: Record<string, string[]> = {};
  for (const { Effect, Action, Resource, Condition } of statements(name)) {
    const actions = [Action].flat().filter((action) => action.startsWith('dynamodb:'));
    if (actions.length === 0) continue;
    expect(Effect).toBe('Allow');
    const { 'ForAllValues:StringLike': condition } = Condition as Record<string, Record<string, string[]>>;
    const index = /\/index\/([\w-]+)"/.exec(JSON.stringify(Resource))?.[1];
    const reach = `${index ? `index ${index}` : 'items'} ${condition?.['dynamodb:LeadingKeys']?.join()}`;
    permissions[reach] = actions.map((action) => action.replace('dynamodb:', '')).sort();
  }
  return permissions;
}

import { Match } from 'aws-cdk-lib/assertions';
import { validate } from 'jsonschema';
import { describe, expect, it } from 'vitest';
import SCHEMA from '../../../shared/domain/notification/channels.schema.json' with { type: 'json' };
import {
  FIRST_PROVIDERS,
  firstChannels,
  STUB_SECRETS,
} from '../lib/constructs/notification-channels-document.ts';
import { synthesize } from './synthesize.ts';

const STUBS = { http: 'http://127.0.0.1:4600', smtp: '127.0.0.1:4601' };
const MAIL = { from: 'noreply@example.com', configurationSetName: 'mails' };

const first = firstChannels({ config: { stage: 'prod', providerStubs: {} } });
const withMail = firstChannels({ config: { stage: 'prod', providerStubs: {} }, mail: MAIL });
const local = firstChannels({ config: { stage: 'local', providerStubs: {} }, mail: MAIL });
const withStubs = firstChannels({ config: { stage: 'local', providerStubs: STUBS }, mail: MAIL });

interface Provider {
  readonly name: string;
  readonly kind: string;
  readonly tier?: number;
  readonly weight?: number;
  readonly endpoint?: string;
  readonly settings?: Record<string, string>;
  readonly enabled?: boolean;
}

type Document = ReturnType<typeof firstChannels>;

function providersOf({ channels }: Document): Provider[] {
  return Object.values(channels).flatMap((channel): Provider[] => channel.providers);
}

function enabledIn(document: Document): string[] {
  return providersOf(document)
    .filter(({ enabled }) => enabled !== false)
    .map(({ name }) => name);
}

const prod = synthesize('prod', { mailFrom: 'mail.example.com' }).template('Config');

describe('the channels of notifications', () => {
  it.each([
    ['of a stage without a sender', first],
    ['with a sender', withMail],
    ['with stand-ins', withStubs],
    ['that waits for stand-ins', local],
  ])('%s are what the schema wants', (_, document) => {
    expect(validate(document, SCHEMA).errors.map(String)).toEqual([]);
  });

  it.each([
    ['a provider of another channel', { kind: 'ses' }, 'kind'],
    ['a weight over 1000', { weight: 1001 }, 'weight'],
    ['no calls a second', { ratePerSecond: 0 }, 'ratePerSecond'],
    ['ten seconds and more', { timeoutMs: 10_001 }, 'timeoutMs'],
    ['a name with a space', { name: 'a b' }, 'name'],
    ['a setting that is no text', { settings: { from: 1 } }, 'settings'],
    ['a secret', { secret: 'x' }, 'secret'],
  ])('are refused with %s', (_, members, named) => {
    const providers = [{ name: 'a', kind: 'aliyun', ...members }];
    const document = { channels: { sms: { delivery: 'at_most_once', providers } } };
    expect(validate(document, SCHEMA).errors.map(String).join()).toContain(named);
  });

  it.each([
    [{}],
    [{ channels: {}, cap: 1 }],
    [{ channels: { fax: { delivery: 'at_most_once', providers: [] } } }],
    [{ channels: { sms: { delivery: 'once', providers: [] } } }],
    [{ channels: { sms: { delivery: 'at_most_once', providers: [], breaker: { failures: 0 } } } }],
    [{ channels: {}, dailyCaps: { marketing: 0 } }],
    [{ channels: {}, digestTemplates: { email: 'a b' } }],
  ])('are refused when they are %j', (document) => {
    expect(validate(document, SCHEMA).valid).toBe(false);
  });

  it('begin with what needs no contract; what needs one waits for its keys', () => {
    expect(enabledIn(first)).toEqual(['sns', 'sns_push', 'inbox']);
    expect(enabledIn(withMail)).toEqual(['sns', 'ses', 'sns_push', 'inbox']);
    expect(withMail.channels.email.providers[0]?.settings).toEqual({
      from: 'noreply@example.com',
      configurationSet: 'mails',
    });
  });

  it('send a text message at most once, and prefer the contracts by 70 to 30', () => {
    expect(first.channels.sms.delivery).toBe('at_most_once');
    const shares = first.channels.sms.providers.map(({ name, tier, weight }: Provider) => [
      name,
      tier,
      weight,
    ]);
    expect(shares).toEqual([
      ['aliyun', 1, 70],
      ['tencent', 1, 30],
      ['sns', 2, undefined],
    ]);
  });

  it('name each provider once, and those that alarms watch', () => {
    expect(providersOf(first).map(({ name }) => name)).toEqual([...FIRST_PROVIDERS]);
  });

  it('reach the stand-ins locally, each with a secret that it knows', () => {
    expect(enabledIn(withStubs)).toEqual([...FIRST_PROVIDERS]);
    const elsewhere = providersOf(withStubs).filter(({ endpoint }) => endpoint !== undefined);
    expect(elsewhere.map(({ name }) => name).sort()).toEqual(Object.keys(STUB_SECRETS).sort());
    for (const { endpoint } of elsewhere) expect(endpoint).toMatch(/127\.0\.0\.1:460[01]/);
    expect(withStubs.channels.email.providers.at(-1)?.settings).toMatchObject({ tls: 'none' });
  });

  it('wait locally for nothing but the places of the stand-ins', () => {
    expect(enabledIn(local)).toEqual(enabledIn(withMail));
    const settingsOf = (document: Document) => providersOf(document).map(({ settings }) => settings);
    expect(settingsOf(local)).toEqual(settingsOf(withStubs));
  });

  it('name no stand-in, and nothing of one, outside of this machine', () => {
    expect(JSON.stringify(withMail)).not.toMatch(/stub|127\.0\.0\.1/);
  });

  it('are checked before they spread, in an environment of their own: two documents would wait for each other', () => {
    prod.hasResourceProperties('AWS::AppConfig::ConfigurationProfile', {
      LocationUri: 'hosted',
      Validators: [{ Type: 'JSON_SCHEMA', Content: Match.stringLikeRegexp('Channels of notifications') }],
    });
    prod.resourceCountIs('AWS::AppConfig::Application', 1);
    const environments = Object.values(prod.findResources('AWS::AppConfig::Deployment')).map(
      ({ Properties }) => JSON.stringify(Properties.EnvironmentId),
    );
    expect(new Set(environments).size).toBe(3);
  });

  it('go back when dispatch-notification cannot read them', () => {
    prod.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ConfigRefreshFailed',
      Dimensions: [
        { Name: 'reason', Value: 'invalid' },
        { Name: 'service', Value: 'dispatch-notification' },
      ],
    });
  });

  it('are found by the function under the name it reads places by', () => {
    const location = prod.findOutputs('NotificationChannelsLocation').NotificationChannelsLocation?.Value[
      'Fn::Join'
    ][1];
    expect(location[0]).toBe('appconfig:');
    expect(location.filter((part: unknown) => part === '/')).toHaveLength(2);
  });
});

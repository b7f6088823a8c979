import type { StageConfig } from '../config.ts';
import type { Mail } from './mail.ts';

export interface FirstChannels {
  readonly config: Pick<StageConfig, 'stage' | 'providerStubs'>;
  readonly mail?: Pick<Mail, 'from' | 'configurationSetName'>;
}

/** Those that alarms watch from the beginning; one that an operator adds has its share on the dashboard. */
export const FIRST_PROVIDERS = [
  'aliyun',
  'tencent',
  'sns',
  'ses',
  'sendgrid',
  'smtp',
  'wechat_official',
  'wechat_mini',
  'sns_push',
  'inbox',
] as const;

type ProviderName = (typeof FIRST_PROVIDERS)[number];

/** `shared/domain/notification/src/channels.rs` says what it means. */
interface Provider {
  readonly name: ProviderName;
  readonly kind: string;
  readonly tier?: number;
  readonly weight?: number;
  readonly endpoint?: string;
  readonly settings?: Readonly<Record<string, string>>;
  readonly enabled?: boolean;
}

/**
 * The channels that a stage begins with. What needs no contract works at once; what needs one is there to be enabled, with
 * its settings, as soon as its secret is. Locally the stand-ins know the settings.
 */
export function firstChannels({ config, mail }: FirstChannels) {
  const from = mail?.from ?? '';
  const { stub, mailServer } = placesIn(config);
  return {
    channels: {
      // A code that comes twice costs twice, and one that never comes is asked for again.
      sms: {
        delivery: 'at_most_once',
        providers: [
          { name: 'aliyun', kind: 'aliyun', tier: 1, weight: 70, ...stub('aliyun', ALIYUN) },
          { name: 'tencent', kind: 'tencent', tier: 1, weight: 30, ...stub('tencent', TENCENT) },
          { name: 'sns', kind: 'sns_sms', tier: 2 },
        ] satisfies Provider[],
      },
      email: {
        delivery: 'at_least_once',
        providers: [
          {
            name: 'ses',
            kind: 'ses',
            tier: 1,
            ...(mail
              ? { settings: { from, configurationSet: mail.configurationSetName } }
              : toBeSet({ from })),
          },
          { name: 'sendgrid', kind: 'sendgrid', tier: 2, ...stub('sendgrid', { from }) },
          { name: 'smtp', kind: 'smtp', tier: 3, ...mailServer(from) },
        ] satisfies Provider[],
      },
      wechat: {
        delivery: 'at_least_once',
        providers: [
          { name: 'wechat_official', kind: 'wechat_official', tier: 1, ...stub('wechat', WECHAT_OFFICIAL) },
          { name: 'wechat_mini', kind: 'wechat_mini', tier: 1, ...stub('wechat', WECHAT_MINI) },
        ] satisfies Provider[],
      },
      push: {
        delivery: 'at_least_once',
        providers: [{ name: 'sns_push', kind: 'sns_push' }] satisfies Provider[],
      },
      internal: {
        delivery: 'at_least_once',
        providers: [{ name: 'inbox', kind: 'inbox' }] satisfies Provider[],
      },
    },
    dailyCaps: { marketing: 3 },
    digestTemplates: { internal: 'digest', email: 'digest_email' },
  };
}

// What the stand-ins know: tests/provider-stubs. Elsewhere the values are to be set, and these say which.
const ALIYUN = { signName: '闪购民宿' };
const TENCENT = { sdkAppId: '1400006666', signName: '闪购民宿' };
const WECHAT_OFFICIAL = { appId: 'wx-official-stub' };
const WECHAT_MINI = { appId: 'wx-mini-stub' };

/** Their secrets, by provider. Constants of the stand-ins, good for nothing else. */
export const STUB_SECRETS = {
  aliyun: {
    accessKeyId: 'LTAI-stub',
    accessKeySecret: 'aliyun-stub-secret',
    callbackToken: 'local-callback-token-0123456789abcdef',
  },
  tencent: {
    secretId: 'AKID-stub',
    secretKey: 'tencent-stub-secret',
    callbackToken: 'local-callback-token-0123456789abcdef',
  },
  sendgrid: { apiKey: 'SG.stub.secret' },
  smtp: { username: 'smtp-stub', password: 'smtp-stub-secret' },
  wechat_official: { appSecret: 'wechat-stub-secret', token: 'wechat-stub-push-token' },
  wechat_mini: { appSecret: 'wechat-stub-secret', token: 'wechat-stub-push-token' },
};

type Place = Pick<Provider, 'endpoint' | 'settings' | 'enabled'>;

/** Locally all is set for the stand-ins: it takes no more than to say where they are. */
function placesIn({ stage, providerStubs: { http, smtp } }: FirstChannels['config']) {
  const place = (settings: Record<string, string>, endpoint: string | undefined): Place => {
    if (stage !== 'local') return toBeSet(settings);
    return endpoint === undefined ? { settings, enabled: false } : { settings, endpoint };
  };
  return {
    stub: (path: string, settings: Record<string, string>) =>
      place(settings, http === undefined ? undefined : `${http}/${path}`),
    // It has no place of its own, as the others have.
    mailServer: (from: string): Place => ({
      endpoint: 'mail.example.com',
      ...place({ from, tls: 'none' }, smtp),
    }),
  };
}

function toBeSet(settings: Record<string, string>): Place {
  const names = Object.keys(settings);
  return { settings: Object.fromEntries(names.map((name) => [name, 'to be set'])), enabled: false };
}

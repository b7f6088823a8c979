import path from 'node:path';
import type { Node } from 'constructs';
import { FUNCTION_NAMES, type FunctionName } from './functions.ts';
import { PRIORITIES, type Priority } from './priorities.ts';
import type { ThrottleClass } from './routes.ts';

export const STAGES = ['local', 'dev', 'staging', 'prod'] as const;
export type Stage = (typeof STAGES)[number];

const ARCHITECTURES = ['arm64', 'x86_64'] as const;
export type ArchitectureName = (typeof ARCHITECTURES)[number];

export interface Throttle {
  /** Requests per second, sustained. */
  readonly rateLimit: number;
  /** Requests admitted at once. */
  readonly burstLimit: number;
}

export interface WarmThroughput {
  readonly readUnitsPerSecond: number;
  readonly writeUnitsPerSecond: number;
}

export interface CustomDomain {
  readonly domainName: string;
  readonly certificateArn: string;
}

/** Who mails come from. */
export interface MailSender {
  /** What SES verifies: the address, or its whole domain. */
  readonly identity: string;
  readonly from: string;
}

/** Stand-ins for the providers of notifications; on this machine only. */
export interface ProviderStubs {
  /** Each provider is at `<http>/<name>`. */
  readonly http?: string;
  /** `host:port`. */
  readonly smtp?: string;
}

/** The platform applications of SNS by which devices are reached. */
export interface PushApplications {
  readonly apns?: string;
  readonly fcm?: string;
}

/** The index of homestays is a folder of this machine. */
export interface IndexFolder {
  readonly kind: 'folder';
  /** Without one, the functions find it in the environment that they inherit: each local AWS has its own. */
  readonly folder?: string;
}

/** The functions hold the index themselves, on a file system that they share. */
export interface EmbeddedIndex {
  readonly kind: 'embedded';
  readonly wayOut: WayOut;
}

const WAYS_OUT = ['ipv6', 'endpoints'] as const;
/**
 * How functions in a network reach SQS and AppConfig: over IPv6, which costs nothing, or through interface endpoints, which are
 * paid by the hour.
 */
export type WayOut = (typeof WAYS_OUT)[number];

/** An OpenSearch domain of this app's own. */
export interface SearchDomainSize {
  readonly kind: 'domain';
  readonly instanceType: string;
  /** Two of them are in two availability zones. */
  readonly instances: number;
  readonly volumeGiB: number;
  /** Put onto it, by name. The index needs none. */
  readonly packages: readonly string[];
}

/** An OpenSearch that is there already; `arn` is missing where it is on this machine and asks for no signature. */
export interface ExistingDomain {
  readonly kind: 'existing';
  readonly endpoint: string;
  readonly arn?: string;
}

/** Where homestays are found. */
export type SearchPlace = IndexFolder | EmbeddedIndex | SearchDomainSize | ExistingDomain;

/** All that differs between deployments; read once from the CDK context, valid once it exists. */
export interface StageConfig {
  readonly stage: Stage;
  /** Holds `<function-name>/bootstrap`. */
  readonly bundles: string;
  readonly architecture: ArchitectureName;
  /** Keep tables and users when a stack goes away, and refuse to delete them. */
  readonly protectData: boolean;
  /** Sign-in by plain password, so that scripts need no SRP. */
  readonly passwordAuth: boolean;
  /** Cognito threat protection, at the price of the Plus plan per active user. */
  readonly threatProtection: boolean;
  readonly logRetentionDays: 7 | 30 | 90;
  readonly warmThroughput?: WarmThroughput;
  /** A function that is not in it shares the account's pool. */
  readonly reservedConcurrency: Partial<Record<FunctionName, number>>;
  /** Batches of queued claims under way at once. */
  readonly queuedClaimConcurrency: number;
  /** Batches under way at once of one shard of a table's stream. */
  readonly streamParallelism: number;
  /** Batches of messages under way at once. */
  readonly dispatchConcurrency: Record<Priority, number>;
  /** Where the index of homestays is. */
  readonly search: SearchPlace;
  /** The name under which the page is served; without one, CloudFront's. */
  readonly webDomain?: CustomDomain;
  /** The page calls the API by its own name, so that it sees who calls; else through CloudFront. */
  readonly webCallsApiDirectly: boolean;
  /** Without one, no mail is sent by SES. */
  readonly mailSender?: MailSender;
  readonly providerStubs: ProviderStubs;
  readonly pushApplications: PushApplications;
  readonly throttles: Record<ThrottleClass, Throttle>;
  /** Empty: no browser of another origin may call the API. */
  readonly corsOrigins: readonly string[];
  readonly customDomain?: CustomDomain;
  readonly alarmEmail?: string;
}

/** The context is wrong; the message names the key, the value and what would be right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

// Per route. Claims leave a fifth of an account's default quota (10,000 requests/s, burst 5,000) to the other
// routes; a bigger sale needs a higher quota first, then the context.
const FULL: Record<ThrottleClass, Throttle> = {
  claim: { rateLimit: 8000, burstLimit: 4000 },
  browse: { rateLimit: 1800, burstLimit: 900 },
  admin: { rateLimit: 20, burstLimit: 40 },
};
const SMALL: Record<ThrottleClass, Throttle> = {
  claim: { rateLimit: 500, burstLimit: 500 },
  browse: { rateLimit: 100, burstLimit: 100 },
  admin: { rateLimit: 20, burstLimit: 40 },
};

// Two runs at once would do the same work twice, to no harm, or overtake each other. An account whose quota is still 10, as of a new one,
// cannot reserve any, so the small stages do not.
const ALONE: StageDefaults['reservedConcurrency'] = {
  'expire-coupons': 1,
  'rank-hot-searches': 1,
};

// An index in a folder has one writer at a time, for which all others wait. A table begins with four shards, each of
// which brings one batch at a time.
const ONE_AFTER_ANOTHER: StageDefaults['reservedConcurrency'] = { 'index-homestay': 4 };

type StageDefaults = Pick<
  StageConfig,
  | 'protectData'
  | 'passwordAuth'
  | 'logRetentionDays'
  | 'reservedConcurrency'
  | 'queuedClaimConcurrency'
  | 'streamParallelism'
  | 'dispatchConcurrency'
  | 'throttles'
  | 'corsOrigins'
> & {
  /** Of a domain that the context does not size. */
  readonly searchDomain: Omit<SearchDomainSize, 'kind' | 'packages'>;
};

const OPEN: Omit<StageDefaults, 'throttles'> = {
  protectData: false,
  passwordAuth: true,
  logRetentionDays: 7,
  reservedConcurrency: {},
  queuedClaimConcurrency: 5,
  streamParallelism: 1,
  dispatchConcurrency: { low: 2, normal: 2, high: 2, urgent: 4 },
  corsOrigins: ['*'],
  // The smallest there is.
  searchDomain: { instanceType: 't3.small.search', instances: 1, volumeGiB: 10 },
};
const GUARDED: Omit<StageDefaults, 'logRetentionDays'> = {
  protectData: true,
  passwordAuth: false,
  reservedConcurrency: ALONE,
  // A hundred batches of a hundred, each a second or less: more than the claim route lets in.
  queuedClaimConcurrency: 100,
  streamParallelism: 10,
  // Urgent ones have as much as all others together: a campaign cannot take it from them.
  dispatchConcurrency: { low: 5, normal: 20, high: 20, urgent: 50 },
  throttles: FULL,
  corsOrigins: [],
  // The smallest that does not live on CPU credits, one in each of two zones.
  searchDomain: { instanceType: 'm6g.large.search', instances: 2, volumeGiB: 20 },
};

const DEFAULTS: Record<Stage, StageDefaults> = {
  local: { ...OPEN, throttles: FULL },
  dev: { ...OPEN, throttles: SMALL },
  staging: { ...GUARDED, logRetentionDays: 30 },
  prod: { ...GUARDED, logRetentionDays: 90 },
};

const DEFAULT_BUNDLES = path.resolve(import.meta.dirname, '../../../target/lambda');

// What Lambda accepts of an SQS and of a stream event source.
const QUEUE_CONCURRENCY = { least: 2, most: 1000 };
const STREAM_PARALLELISM = { least: 1, most: 10 };

// What OpenSearch Service accepts without dedicated masters, and of gp3 volumes of the smallest instances.
const DOMAIN_INSTANCES = { least: 1, most: 10 };
const DOMAIN_VOLUME_GIB = { least: 10, most: 100 };

/** The sender that the stand-ins know; the local AWS takes every identity for verified. */
const LOCAL_MAIL_FROM = 'noreply@minsu.example';

/** Made by `local/gaps.ts`: CloudFormation knows no platform applications. */
const LOCAL_PUSH: PushApplications = {
  apns: 'arn:aws:sns:us-east-1:000000000000:app/APNS_SANDBOX/flashsale',
  fcm: 'arn:aws:sns:us-east-1:000000000000:app/GCM/flashsale',
};

/** Reads and validates the stage's configuration; throws `ConfigError`. */
export function readConfig(node: Node): StageConfig {
  const context = new ContextReader(node);
  const stage = context.oneOf('stage', STAGES) ?? 'dev';
  const { searchDomain, ...defaults } = DEFAULTS[stage];
  const search = searchPlace(context, stage, searchDomain);
  const webDomain = customDomain(context, 'webDomainName', 'webCertificateArn');
  const origins = corsOrigins(context) ?? defaults.corsOrigins;
  const serial = search.kind === 'embedded' && defaults.protectData ? ONE_AFTER_ANOTHER : {};
  return {
    ...defaults,
    stage,
    bundles: path.resolve(context.text('bundles') ?? DEFAULT_BUNDLES),
    architecture: context.oneOf('architecture', ARCHITECTURES) ?? 'arm64',
    threatProtection: context.flag('threatProtection') ?? false,
    warmThroughput: warmThroughput(context),
    reservedConcurrency: { ...defaults.reservedConcurrency, ...serial, ...reservedConcurrency(context) },
    queuedClaimConcurrency:
      context.integer('queuedClaimConcurrency', QUEUE_CONCURRENCY) ?? defaults.queuedClaimConcurrency,
    streamParallelism: context.integer('streamParallelism', STREAM_PARALLELISM) ?? defaults.streamParallelism,
    dispatchConcurrency: { ...defaults.dispatchConcurrency, ...dispatchConcurrency(context) },
    search,
    webDomain,
    webCallsApiDirectly: webCallsApiDirectly(context, webDomain, origins),
    mailSender: mailSender(context, stage),
    providerStubs: providerStubs(context, stage),
    pushApplications: pushApplications(context, stage),
    throttles: {
      claim: throttle(context, 'claim', defaults.throttles.claim),
      browse: throttle(context, 'browse', defaults.throttles.browse),
      admin: throttle(context, 'admin', defaults.throttles.admin),
    },
    corsOrigins: origins,
    customDomain: customDomain(context, 'domainName', 'certificateArn'),
    alarmEmail: alarmEmail(context),
  };
}

function warmThroughput(context: ContextReader): WarmThroughput | undefined {
  const [read, write] = context.together('warmReads', 'warmWrites', (key) => context.integer(key));
  if (read === undefined || write === undefined) return undefined;
  // The DynamoDB minimum for an on-demand table.
  if (read < 12_000) context.fail('warmReads', 'at least 12000 read units per second');
  if (write < 4_000) context.fail('warmWrites', 'at least 4000 write units per second');
  return { readUnitsPerSecond: read, writeUnitsPerSecond: write };
}

function reservedConcurrency(context: ContextReader): Partial<Record<FunctionName, number>> {
  const expected = `a list like claim-coupon=200 of ${FUNCTION_NAMES.join(', ')}`;
  const reserved: Partial<Record<FunctionName, number>> = {};
  for (const entry of context.list('reservedConcurrency') ?? []) {
    const [name, count, ...rest] = entry.split('=');
    const fn = FUNCTION_NAMES.find((known) => known === name);
    if (fn === undefined || !/^[1-9]\d*$/.test(count ?? '') || rest.length > 0) {
      context.fail('reservedConcurrency', expected);
    }
    reserved[fn] = Number(count);
  }
  return reserved;
}

function dispatchConcurrency(context: ContextReader): Partial<Record<Priority, number>> {
  const { least, most } = QUEUE_CONCURRENCY;
  const expected = `a list like urgent=50,low=5 of ${PRIORITIES.join(', ')}, each from ${least} to ${most}`;
  const concurrency: Partial<Record<Priority, number>> = {};
  for (const entry of context.list('dispatchConcurrency') ?? []) {
    const [, name, count] = /^(\w+)=(\d{1,4})$/.exec(entry) ?? [];
    const priority = PRIORITIES.find((known) => known === name);
    const batches = Number(count);
    if (priority === undefined || batches < least || batches > most) {
      context.fail('dispatchConcurrency', expected);
    }
    concurrency[priority] = batches;
  }
  return concurrency;
}

function mailSender(context: ContextReader, stage: Stage): MailSender | undefined {
  const identity = context.text('mailFrom') ?? (stage === 'local' ? LOCAL_MAIL_FROM : undefined);
  if (identity === undefined) return undefined;
  if (!/^([\w.+-]+@)?[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(identity)) {
    context.fail('mailFrom', 'a domain like mail.example.com, or a mail address');
  }
  return { identity, from: identity.includes('@') ? identity : `noreply@${identity}` };
}

function providerStubs(context: ContextReader, stage: Stage): ProviderStubs {
  const [http, smtp] = [context.text('providerStubs'), context.text('smtpStub')];
  // What is sent to them is kept and shown to whoever asks.
  for (const [key, value] of [
    ['providerStubs', http],
    ['smtpStub', smtp],
  ] as const) {
    if (value !== undefined && stage !== 'local') context.fail(key, 'left out of every stage but local');
  }
  if (http !== undefined && !/^http:\/\/127\.0\.0\.1:\d+$/.test(http)) {
    context.fail('providerStubs', 'a URL like http://127.0.0.1:4600');
  }
  if (smtp !== undefined && !/^127\.0\.0\.1:\d+$/.test(smtp)) {
    context.fail('smtpStub', 'an address like 127.0.0.1:1025');
  }
  return { http, smtp };
}

function pushApplications(context: ContextReader, stage: Stage): PushApplications {
  const arn = (key: string, platforms: string) => {
    const text = context.text(key);
    if (
      text !== undefined &&
      !new RegExp(`^arn:[\\w-]+:sns:[\\w-]+:\\d{12}:app/(${platforms})/.+$`).test(text)
    ) {
      context.fail(key, `the ARN of a platform application of SNS (${platforms.replaceAll('|', ' or ')})`);
    }
    return text;
  };
  const given = {
    apns: arn('apnsApplicationArn', 'APNS|APNS_SANDBOX'),
    fcm: arn('fcmApplicationArn', 'GCM'),
  };
  if (stage !== 'local') return given;
  return { apns: given.apns ?? LOCAL_PUSH.apns, fcm: given.fcm ?? LOCAL_PUSH.fcm };
}

function throttle(context: ContextReader, name: ThrottleClass, fallback: Throttle): Throttle {
  return {
    rateLimit: context.integer(`${name}Rate`) ?? fallback.rateLimit,
    burstLimit: context.integer(`${name}Burst`) ?? fallback.burstLimit,
  };
}

function corsOrigins(context: ContextReader): string[] | undefined {
  const origins = context.list('corsOrigins');
  for (const origin of origins ?? []) {
    const isOrigin = URL.canParse(origin) && /^https?:/.test(origin) && new URL(origin).origin === origin;
    if (origin !== '*' && !isOrigin) {
      context.fail('corsOrigins', 'a comma-separated list of origins like https://www.example.com, or *');
    }
  }
  return origins;
}

function webCallsApiDirectly(
  context: ContextReader,
  webDomain: CustomDomain | undefined,
  origins: readonly string[],
): boolean {
  const directly = context.flag('webCallsApiDirectly') ?? false;
  // CloudFront's name is known when the page has been deployed, after the API.
  const page = webDomain && `https://${webDomain.domainName}`;
  const allowed = page === undefined ? origins.length > 0 : origins.some((it) => it === '*' || it === page);
  if (directly && !allowed) {
    context.fail(
      'corsOrigins',
      `set, with the page's origin ${page ?? '(the output WebUrl, without a slash)'}`,
    );
  }
  return directly;
}

function customDomain(context: ContextReader, nameKey: string, arnKey: string): CustomDomain | undefined {
  const [domainName, certificateArn] = context.together(nameKey, arnKey, (key) => context.text(key));
  if (domainName === undefined || certificateArn === undefined) return undefined;
  // CloudFront takes them from one region alone.
  const region = arnKey === 'webCertificateArn' ? 'us-east-1' : '[\\w-]+';
  if (!new RegExp(`^arn:[\\w-]+:acm:${region}:\\d{12}:certificate/.+$`).test(certificateArn)) {
    context.fail(
      arnKey,
      `the ARN of an ACM certificate${region === 'us-east-1' ? ' of the region us-east-1' : ''}`,
    );
  }
  return { domainName, certificateArn };
}

function searchPlace(context: ContextReader, stage: Stage, size: StageDefaults['searchDomain']): SearchPlace {
  const kind = context.oneOf('search', ['embedded', 'domain']) ?? 'embedded';
  const folder = context.text('searchIndexFolder');
  if (folder !== undefined && (stage !== 'local' || kind === 'domain')) {
    context.fail('searchIndexFolder', 'left out unless the stage is local and its index embedded');
  }
  const wayOut = context.oneOf('searchEgress', WAYS_OUT);
  if (wayOut !== undefined && (stage === 'local' || kind === 'domain')) {
    context.fail('searchEgress', 'left out unless the index is embedded, on AWS');
  }
  const existing = existingDomain(context, stage);
  if (existing !== undefined && kind !== 'domain') {
    context.fail('searchDomainEndpoint', "left out unless 'search' is domain");
  }
  if (kind === 'embedded') {
    return stage === 'local'
      ? { kind: 'folder', folder: folder && path.resolve(folder) }
      : { kind: 'embedded', wayOut: wayOut ?? 'ipv6' };
  }
  if (existing !== undefined) return existing;
  if (stage === 'local') context.fail('searchDomainEndpoint', 'set: the local AWS has no domains');
  const instanceType = context.text('searchInstanceType') ?? size.instanceType;
  if (!/^[a-z]\w+\.[a-z0-9]+\.search$/.test(instanceType)) {
    context.fail('searchInstanceType', 'an instance type of OpenSearch Service like m6g.large.search');
  }
  const instances = context.integer('searchInstances', DOMAIN_INSTANCES) ?? size.instances;
  // Data lies in both zones alike.
  if (instances > 1 && instances % 2 === 1) context.fail('searchInstances', '1, or an even number');
  const volumeGiB = context.integer('searchVolumeGiB', DOMAIN_VOLUME_GIB) ?? size.volumeGiB;
  const packages = context.list('searchPackages') ?? [];
  if (!packages.every((name) => /^[a-z][a-z0-9-]{2,31}$/.test(name))) {
    context.fail('searchPackages', 'a list of packages of OpenSearch Service like analysis-pinyin');
  }
  return { kind: 'domain', instanceType, instances, volumeGiB, packages };
}

function existingDomain(context: ContextReader, stage: Stage): ExistingDomain | undefined {
  if (stage === 'local') {
    const endpoint = context.text('searchDomainEndpoint');
    if (endpoint === undefined) return undefined;
    if (!/^http:\/\/127\.0\.0\.1:\d+$/.test(endpoint)) {
      context.fail('searchDomainEndpoint', 'a URL like http://127.0.0.1:9200');
    }
    return { kind: 'existing', endpoint };
  }
  const [endpoint, arn] = context.together('searchDomainEndpoint', 'searchDomainArn', (key) =>
    context.text(key),
  );
  if (endpoint === undefined || arn === undefined) return undefined;
  if (!URL.canParse(endpoint) || new URL(endpoint).origin !== endpoint || !endpoint.startsWith('https://')) {
    context.fail('searchDomainEndpoint', 'an https URL without a path');
  }
  if (!/^arn:[\w-]+:es:[\w-]+:\d{12}:domain\/[a-z][a-z0-9-]+$/.test(arn)) {
    context.fail('searchDomainArn', 'the ARN of a domain of OpenSearch Service');
  }
  return { kind: 'existing', endpoint, arn };
}

function alarmEmail(context: ContextReader): string | undefined {
  const email = context.text('alarmEmail');
  if (email !== undefined && !/^\S+@\S+$/.test(email)) context.fail('alarmEmail', 'an e-mail address');
  return email;
}

/** Context given by `-c key=value` is text; context in cdk.json may be of any JSON type. */
class ContextReader {
  constructor(private readonly node: Node) {}

  text(key: string): string | undefined {
    const value = this.node.tryGetContext(key);
    if (value === undefined || value === null) return undefined;
    const text = Array.isArray(value) ? value.join(',') : String(value).trim();
    if (text === '') this.fail(key, 'not empty; leave it out for the default');
    return text;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    return allowed.find((value) => value === text) ?? this.fail(key, `one of ${allowed.join(', ')}`);
  }

  flag(key: string): boolean | undefined {
    const text = this.oneOf(key, ['true', 'false']);
    return text === undefined ? undefined : text === 'true';
  }

  integer(key: string, range?: { readonly least: number; readonly most: number }): number | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const number = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : this.fail(key, 'a positive whole number');
    if (range && (number < range.least || number > range.most)) {
      this.fail(key, `a number from ${range.least} to ${range.most}`);
    }
    return number;
  }

  list(key: string): string[] | undefined {
    return this.text(key)
      ?.split(',')
      .map((entry) => entry.trim());
  }

  /** Two keys that make sense only together. */
  together<T>(first: string, second: string, read: (key: string) => T | undefined): [T?, T?] {
    const values: [T?, T?] = [read(first), read(second)];
    if (values[0] === undefined && values[1] !== undefined) this.fail(first, `set, as ${second} is`);
    if (values[1] === undefined && values[0] !== undefined) this.fail(second, `set, as ${first} is`);
    return values;
  }

  fail(key: string, expected: string): never {
    const value = this.node.tryGetContext(key);
    const given = value === undefined ? 'it is not set' : `it is ${JSON.stringify(value)}`;
    throw new ConfigError(`context '${key}' must be ${expected}; ${given}`);
  }
}

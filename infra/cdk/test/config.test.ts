import { App } from 'aws-cdk-lib';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../lib/config.ts';

const config = (context: Record<string, unknown> = {}) => readConfig(new App({ context }).node);

describe('the stage configuration', () => {
  it('is a development stage on arm64 unless told otherwise', () => {
    expect(config()).toMatchObject({ stage: 'dev', architecture: 'arm64', reservedConcurrency: {} });
  });

  it.each(['staging', 'prod'])('protects data and offers no password sign-in in %s', (stage) => {
    expect(config({ stage })).toMatchObject({ protectData: true, passwordAuth: false, corsOrigins: [] });
  });

  it.each(['local', 'dev'])('leaves nothing behind in %s', (stage) => {
    expect(config({ stage })).toMatchObject({ protectData: false, passwordAuth: true });
  });

  it('admits more claims than anything else', () => {
    const { throttles } = config({ stage: 'prod' });
    expect(throttles.claim.rateLimit).toBeGreaterThan(throttles.browse.rateLimit);
    expect(throttles.browse.rateLimit).toBeGreaterThan(throttles.admin.rateLimit);
  });

  it('reads text from the command line and JSON from cdk.json alike', () => {
    const expected = {
      throttles: { claim: { rateLimit: 9000 } },
      corsOrigins: ['https://a.example', 'https://b.example'],
    };
    expect(config({ claimRate: '9000', corsOrigins: 'https://a.example, https://b.example' })).toMatchObject(
      expected,
    );
    expect(
      config({ claimRate: 9000, corsOrigins: ['https://a.example', 'https://b.example'] }),
    ).toMatchObject(expected);
  });

  it('reserves concurrency by function', () => {
    expect(
      config({ reservedConcurrency: 'claim-coupon=200,list-my-coupons=50' }).reservedConcurrency,
    ).toEqual({
      'claim-coupon': 200,
      'list-my-coupons': 50,
    });
  });

  it('gives urgent messages at least as many batches as all others together where it counts', () => {
    const { low, normal, high, urgent } = config({ stage: 'prod' }).dispatchConcurrency;
    expect(urgent).toBeGreaterThanOrEqual(low + normal + high);
  });

  it('sends mails from an address, or from one of a domain', () => {
    expect(config().mailSender).toBeUndefined();
    expect(config({ mailFrom: 'stays@example.com' }).mailSender).toEqual({
      identity: 'stays@example.com',
      from: 'stays@example.com',
    });
    expect(config({ mailFrom: 'mail.example.com' }).mailSender).toEqual({
      identity: 'mail.example.com',
      from: 'noreply@mail.example.com',
    });
  });

  it('keeps expiry to one run at a time where nothing else is said', () => {
    expect(config({ stage: 'prod', reservedConcurrency: 'claim-coupon=200' }).reservedConcurrency).toEqual({
      'expire-coupons': 1,
      'claim-coupon': 200,
    });
  });

  it.each([
    [{ stage: 'production' }, `context 'stage' must be one of local, dev, staging, prod; it is "production"`],
    [{ architecture: 'arm' }, `context 'architecture' must be one of arm64, x86_64; it is "arm"`],
    [{ claimRate: '0' }, `context 'claimRate' must be a positive whole number; it is "0"`],
    [
      { queuedClaimConcurrency: '1' },
      `context 'queuedClaimConcurrency' must be a number from 2 to 1000; it is "1"`,
    ],
    [{ streamParallelism: '11' }, `context 'streamParallelism' must be a number from 1 to 10; it is "11"`],
    [{ adminBurst: 'many' }, `context 'adminBurst' must be a positive whole number; it is "many"`],
    [{ warmReads: '20000' }, `context 'warmWrites' must be set, as warmReads is; it is not set`],
    [
      { warmReads: '20000', warmWrites: '100' },
      `context 'warmWrites' must be at least 4000 write units per second; it is "100"`,
    ],
    [{ certificateArn: 'arn' }, `context 'domainName' must be set, as certificateArn is; it is not set`],
    [
      { domainName: 'api.example.com', certificateArn: 'arn' },
      `context 'certificateArn' must be the ARN of an ACM certificate; it is "arn"`,
    ],
    [{ alarmEmail: 'me' }, `context 'alarmEmail' must be an e-mail address; it is "me"`],
    [
      { corsOrigins: 'www.example.com' },
      `context 'corsOrigins' must be a comma-separated list of origins like https://www.example.com, or *; it is "www.example.com"`,
    ],
    [
      { dispatchConcurrency: 'urgent=1' },
      `context 'dispatchConcurrency' must be a list like urgent=50,low=5 of low, normal, high, urgent, each from 2 to 1000; it is "urgent=1"`,
    ],
    [
      { mailFrom: 'me' },
      `context 'mailFrom' must be a domain like mail.example.com, or a mail address; it is "me"`,
    ],
    [
      { stage: 'prod', providerStubs: 'http://127.0.0.1:4600' },
      `context 'providerStubs' must be left out of every stage but local; it is "http://127.0.0.1:4600"`,
    ],
    [
      { stage: 'local', providerStubs: 'http://example.com' },
      `context 'providerStubs' must be a URL like http://127.0.0.1:4600; it is "http://example.com"`,
    ],
    [
      { stage: 'local', smtpStub: 'localhost' },
      `context 'smtpStub' must be an address like 127.0.0.1:1025; it is "localhost"`,
    ],
    [
      { fcmApplicationArn: 'arn' },
      `context 'fcmApplicationArn' must be the ARN of a platform application of SNS (GCM); it is "arn"`,
    ],
    [{ threatProtection: 'yes' }, `context 'threatProtection' must be one of true, false; it is "yes"`],
    [{ bundles: '' }, `context 'bundles' must be not empty; leave it out for the default; it is ""`],
  ])('refuses %j and says what would be right', (context, message) => {
    expect(() => config(context)).toThrow(message);
  });

  it.each(['claim-coupon', 'claim-coupon=0', 'claim=5', 'claim-coupon=5=6'])(
    'refuses the reservation %j',
    (entry) => {
      expect(() => config({ reservedConcurrency: entry })).toThrow(
        "context 'reservedConcurrency' must be a list like claim-coupon=200 of claim-coupon, ",
      );
    },
  );
});

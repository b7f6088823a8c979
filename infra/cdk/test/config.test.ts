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

  it('keeps what the clock starts to one run at a time where nothing else is said', () => {
    expect(config({ stage: 'prod', reservedConcurrency: 'claim-coupon=200' }).reservedConcurrency).toEqual({
      'expire-coupons': 1,
      'rank-hot-searches': 1,
      'index-homestay': 4,
      'claim-coupon': 200,
    });
  });

  it('has the index on files that the functions share, and locally in a folder', () => {
    expect(config({ stage: 'prod' }).search).toEqual({ kind: 'embedded', wayOut: 'ipv6' });
    expect(config({ searchEgress: 'endpoints' }).search).toEqual({ kind: 'embedded', wayOut: 'endpoints' });
    expect(config({ stage: 'local', searchIndexFolder: '/tmp/index' }).search).toEqual({
      kind: 'folder',
      folder: '/tmp/index',
    });
  });

  it('lets an index on a domain take changes from as many shards as there are', () => {
    expect(config({ stage: 'prod', search: 'domain' }).reservedConcurrency).toEqual({
      'expire-coupons': 1,
      'rank-hot-searches': 1,
    });
  });

  it('sizes a domain by the stage, unless told otherwise', () => {
    expect(config({ search: 'domain' }).search).toMatchObject({ kind: 'domain', instances: 1 });
    expect(config({ stage: 'prod', search: 'domain' }).search).toMatchObject({
      kind: 'domain',
      instances: 2,
    });
    const context = { searchInstanceType: 'r7g.large.search', searchInstances: 4, searchVolumeGiB: 50 };
    expect(config({ search: 'domain', ...context }).search).toEqual({
      kind: 'domain',
      instanceType: 'r7g.large.search',
      instances: 4,
      volumeGiB: 50,
      packages: [],
    });
  });

  it('takes a domain that is there already', () => {
    const domain = {
      searchDomainEndpoint: 'https://search.example.com',
      searchDomainArn: 'arn:aws:es:eu-west-1:111122223333:domain/stays',
    };
    expect(config({ search: 'domain', ...domain }).search).toEqual({
      kind: 'existing',
      endpoint: domain.searchDomainEndpoint,
      arn: domain.searchDomainArn,
    });
    const local = { stage: 'local', search: 'domain', searchDomainEndpoint: 'http://127.0.0.1:9200' };
    expect(config(local).search).toEqual({ kind: 'existing', endpoint: 'http://127.0.0.1:9200' });
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
    [{ search: 'elastic' }, `context 'search' must be one of embedded, domain; it is "elastic"`],
    [
      { searchIndexFolder: '/tmp/index' },
      `context 'searchIndexFolder' must be left out unless the stage is local and its index embedded; it is "/tmp/index"`,
    ],
    [
      { search: 'domain', searchEgress: 'ipv6' },
      `context 'searchEgress' must be left out unless the index is embedded, on AWS; it is "ipv6"`,
    ],
    [
      { stage: 'local', search: 'domain' },
      `context 'searchDomainEndpoint' must be set: the local AWS has no domains; it is not set`,
    ],
    [
      { search: 'domain', searchDomainEndpoint: 'https://search.example.com' },
      `context 'searchDomainArn' must be set, as searchDomainEndpoint is; it is not set`,
    ],
    [
      { stage: 'local', search: 'domain', searchDomainEndpoint: 'https://search.example.com' },
      `context 'searchDomainEndpoint' must be a URL like http://127.0.0.1:9200; it is "https://search.example.com"`,
    ],
    [
      { stage: 'local', searchDomainEndpoint: 'http://127.0.0.1:9200' },
      `context 'searchDomainEndpoint' must be left out unless 'search' is domain; it is "http://127.0.0.1:9200"`,
    ],
    [
      {
        search: 'domain',
        searchDomainEndpoint: 'http://search.example.com',
        searchDomainArn: 'arn:aws:es:eu-west-1:111122223333:domain/stays',
      },
      `context 'searchDomainEndpoint' must be an https URL without a path; it is "http://search.example.com"`,
    ],
    [
      { search: 'domain', searchDomainEndpoint: 'https://search.example.com', searchDomainArn: 'arn' },
      `context 'searchDomainArn' must be the ARN of a domain of OpenSearch Service; it is "arn"`,
    ],
    [
      { search: 'domain', searchInstanceType: 'm6g.large' },
      `context 'searchInstanceType' must be an instance type of OpenSearch Service like m6g.large.search; it is "m6g.large"`,
    ],
    [
      { search: 'domain', searchPackages: 'Pinyin' },
      `context 'searchPackages' must be a list of packages of OpenSearch Service like analysis-pinyin; it is "Pinyin"`,
    ],
    [
      { search: 'domain', searchInstances: '3' },
      `context 'searchInstances' must be 1, or an even number; it is "3"`,
    ],
    [
      {
        webDomainName: 'www.example.com',
        webCertificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/1',
      },
      `context 'webCertificateArn' must be the ARN of an ACM certificate of the region us-east-1; it is "arn:aws:acm:eu-west-1:111122223333:certificate/1"`,
    ],
    [
      { stage: 'prod', webCallsApiDirectly: 'true' },
      `context 'corsOrigins' must be set, with the page's origin (the output WebUrl, without a slash); it is not set`,
    ],
    [
      {
        webCallsApiDirectly: 'true',
        corsOrigins: 'https://a.example',
        webDomainName: 'www.example.com',
        webCertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1',
      },
      `context 'corsOrigins' must be set, with the page's origin https://www.example.com; it is "https://a.example"`,
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

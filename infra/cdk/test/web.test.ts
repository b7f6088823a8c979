import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { synthesize } from './synthesize.ts';

const DISTRIBUTION = 'AWS::CloudFront::Distribution';
const PAGE = path.resolve(import.meta.dirname, '../../../web/search/index.html');

const web = synthesize('prod').template('Web');
const [distribution] = Object.values(web.findResources(DISTRIBUTION));
const { DefaultCacheBehavior, CacheBehaviors, Origins, ...settings } =
  distribution?.Properties.DistributionConfig ?? {};
const policyOf = ({ CachePolicyId }: { CachePolicyId: { Ref: string } | string }) =>
  typeof CachePolicyId === 'string'
    ? CachePolicyId
    : web.findResources('AWS::CloudFront::CachePolicy')[CachePolicyId.Ref];

/** Of CloudFront itself: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html */
const CACHING_DISABLED = '4135ea2d-6df8-44a3-9df3-4b5a84be39ad';

describe('the page', () => {
  it('is in a bucket that CloudFront alone may read', () => {
    web.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
    });
    web.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: 'Allow',
            Action: 's3:GetObject',
            Principal: { Service: 'cloudfront.amazonaws.com' },
            Condition: { StringEquals: { 'AWS:SourceArn': Match.anyValue() } },
          }),
        ]),
      },
    });
    web.resourceCountIs('AWS::CloudFront::OriginAccessControl', 1);
  });

  it('is served over TLS, compressed, by index.html', () => {
    expect(settings.DefaultRootObject).toBe('index.html');
    expect(DefaultCacheBehavior).toMatchObject({ ViewerProtocolPolicy: 'redirect-to-https', Compress: true });
  });

  it('is told to browsers as what it is: no script but its own, no frame, no other type, TLS for a year', () => {
    web.hasResourceProperties('AWS::CloudFront::ResponseHeadersPolicy', {
      ResponseHeadersPolicyConfig: Match.objectLike({
        SecurityHeadersConfig: Match.objectLike({
          ContentSecurityPolicy: {
            ContentSecurityPolicy: Match.stringLikeRegexp("default-src 'none'; script-src 'self';"),
            Override: true,
          },
          ContentTypeOptions: { Override: true },
          FrameOptions: { FrameOption: 'DENY', Override: true },
          StrictTransportSecurity: Match.objectLike({ AccessControlMaxAgeSec: 31_536_000 }),
        }),
      }),
    });
    const policies = JSON.stringify(web.findResources('AWS::CloudFront::ResponseHeadersPolicy'));
    expect(policies).not.toMatch(/unsafe-(inline|eval)/);
  });

  it('needs nothing that these headers forbid', () => {
    const html = readFileSync(PAGE, 'utf8');
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/);
    for (const [, attributes, text] of html.matchAll(/<script([^>]*)>([^<]*)/g)) {
      expect(attributes).toMatch(/src="(?!https?:|\/\/)/);
      expect(text).toBe('');
    }
  });

  it('comes anew with each deployment', () => {
    web.hasResourceProperties('Custom::CDKBucketDeployment', {
      SystemMetadata: { 'cache-control': 'no-cache' },
      DistributionId: Match.anyValue(),
    });
  });

  it('has a name of ours when it is given one, and TLS 1.2 with it', () => {
    const context = {
      webDomainName: 'www.example.com',
      webCertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/1',
    };
    const named = synthesize('prod', context).template('Web');
    named.hasResourceProperties(DISTRIBUTION, {
      DistributionConfig: Match.objectLike({
        Aliases: ['www.example.com'],
        ViewerCertificate: Match.objectLike({ MinimumProtocolVersion: 'TLSv1.2_2021' }),
      }),
    });
    named.hasOutput('WebUrl', { Value: 'https://www.example.com/' });
    named.hasOutput('WebDomainTarget', {});
  });
});

describe('the API beside it', () => {
  // biome-ignore lint/suspicious/noExplicitAny: as CloudFormation spells it.
  const behaviors = new Map<string, any>(CacheBehaviors.map((it: any) => [it.PathPattern, it]));

  it('is the API of the stage, over TLS 1.2', () => {
    const { TargetOriginId } = behaviors.get('/v1/*');
    // biome-ignore lint/suspicious/noExplicitAny: as CloudFormation spells it.
    const origin = Origins.find(({ Id }: any) => Id === TargetOriginId);
    expect(JSON.stringify(origin.DomainName)).toContain('Fn::Split');
    expect(origin.CustomOriginConfig).toMatchObject({
      OriginProtocolPolicy: 'https-only',
      OriginSSLProtocols: ['TLSv1.2'],
    });
  });

  it('is asked anew each time, also for a search: each is counted, and has an id of its own', () => {
    expect(policyOf(behaviors.get('/v1/*'))).toBe(CACHING_DISABLED);
    expect(behaviors.get('/v1/*').AllowedMethods).toContain('POST');
    expect([...behaviors.keys()].sort()).toEqual([
      '/v1/*',
      '/v1/homestays/hot-searches',
      '/v1/homestays/suggest',
    ]);
  });

  it.each(['/v1/homestays/suggest', '/v1/homestays/hot-searches'])(
    'has %s kept by what was asked, for as long as the answer says',
    (route) => {
      expect(policyOf(behaviors.get(route))).toMatchObject({
        Properties: {
          CachePolicyConfig: {
            MinTTL: 0,
            DefaultTTL: 0,
            ParametersInCacheKeyAndForwardedToOrigin: {
              QueryStringsConfig: { QueryStringBehavior: 'all' },
              HeadersConfig: { HeaderBehavior: 'none' },
              CookiesConfig: { CookieBehavior: 'none' },
            },
          },
        },
      });
      expect(behaviors.get(route).AllowedMethods).not.toContain('POST');
    },
  );
});

describe('a page that calls the API directly', () => {
  const direct = synthesize('dev', { webCallsApiDirectly: 'true' }).template('Web');
  const textOf = (template: Template, type: string) => JSON.stringify(template.findResources(type));

  it('may, and is told where the API is', () => {
    expect(textOf(direct, 'AWS::CloudFront::ResponseHeadersPolicy')).toMatch(
      /connect-src 'self' https:\/\/".*Fn::Split.*"; img-src /,
    );
    // The deployment writes the host into `config.json`.
    direct.hasResourceProperties('Custom::CDKBucketDeployment', {
      SourceMarkers: [{}, Match.objectLike({ '<<marker:0xbaba:0>>': { 'Fn::Select': Match.anyValue() } })],
    });
  });

  it('is not what comes by default', () => {
    expect(textOf(web, 'AWS::CloudFront::ResponseHeadersPolicy')).toContain("connect-src 'self';");
    web.hasResourceProperties('Custom::CDKBucketDeployment', { SourceMarkers: Match.absent() });
  });
});

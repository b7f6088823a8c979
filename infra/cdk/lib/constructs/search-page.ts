import path from 'node:path';
import { Duration, Fn, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import {
  AllowedMethods,
  type BehaviorOptions,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  OriginSslPolicy,
  PriceClass,
  ResponseHeadersPolicy,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { BucketDeployment, CacheControl, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { flatten } from './rust-function.ts';

const FILES = path.resolve(import.meta.dirname, '../../../../web/search');

/** What the page loads and calls: its own files, the API beside them or at `api`, and the hosts' pictures from anywhere. */
const contentSecurityPolicy = (api?: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `connect-src 'self'${api ? ` ${api}` : ''}`,
    "img-src 'self' https: data:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/**
 * Answers that are the same for everyone, and say by `Cache-Control` for how long they are good. An answer to a search is not:
 * each has an id of its own, and is counted.
 */
const CACHED = ['/v1/homestays/suggest', '/v1/homestays/hot-searches'];

/** The longest that such an answer is kept, whatever it says. */
const KEPT_AT_MOST = Duration.minutes(5);

export interface SearchPageProps {
  readonly config: StageConfig;
  /** Where the API answers, with a slash at the end. */
  readonly apiUrl: string;
}

/**
 * The page where guests look for homestays, and the API under the same name, so that no browser asks for permission. The API
 * then sees CloudFront call instead of the guest: see `webCallsApiDirectly`.
 */
export class SearchPage extends Construct {
  readonly distribution: Distribution;
  readonly url: string;

  constructor(scope: Construct, id: string, { config, apiUrl }: SearchPageProps) {
    super(scope, id);
    const files = new Bucket(this, 'Files', {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      // What is in it comes from here, and can come again.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const { webDomain } = config;
    // `https:`, nothing, the host, nothing.
    const apiHost = Fn.select(2, Fn.split('/', apiUrl));
    const called = config.webCallsApiDirectly ? `https://${apiHost}` : undefined;
    const headers = this.headers(called);
    const api = this.api(apiHost);
    this.distribution = new Distribution(this, 'Distribution', {
      comment: `Search of homestays, stage ${config.stage}`,
      defaultRootObject: 'index.html',
      httpVersion: HttpVersion.HTTP2_AND_3,
      // Where most guests are; the cheapest class leaves out Asia.
      priceClass: PriceClass.PRICE_CLASS_ALL,
      ...(webDomain && {
        minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
        domainNames: [webDomain.domainName],
        certificate: Certificate.fromCertificateArn(this, 'Certificate', webDomain.certificateArn),
      }),
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(files),
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: headers,
        compress: true,
      },
      additionalBehaviors: {
        ...Object.fromEntries(CACHED.map((route) => [route, api.cached])),
        '/v1/*': api.fresh,
      },
    });
    this.url = `https://${webDomain?.domainName ?? this.distribution.distributionDomainName}/`;

    new BucketDeployment(this, 'Deployment', {
      destinationBucket: files,
      // The page looks for the file in any case.
      sources: [Source.asset(FILES), Source.jsonData('config.json', called ? { apiUrl: called } : {})],
      // The names of the files do not tell their version: a browser asks whether what it has is still good.
      cacheControl: [CacheControl.noCache()],
      distribution: this.distribution,
      logGroup: new LogGroup(this, 'DeploymentLogs', {
        retention: config.logRetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    this.acknowledge(files, webDomain !== undefined);
  }

  private headers(called?: string): ResponseHeadersPolicy {
    return new ResponseHeadersPolicy(this, 'Headers', {
      securityHeadersBehavior: {
        contentSecurityPolicy: { contentSecurityPolicy: contentSecurityPolicy(called), override: true },
        contentTypeOptions: { override: true },
        frameOptions: { frameOption: HeadersFrameOption.DENY, override: true },
        referrerPolicy: {
          referrerPolicy: HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN,
          override: true,
        },
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: true,
          override: true,
        },
      },
      customHeadersBehavior: {
        customHeaders: [
          // Asked for when a guest wants what is near.
          {
            header: 'Permissions-Policy',
            value: 'geolocation=(self), camera=(), microphone=()',
            override: true,
          },
        ],
      },
    });
  }

  private api(host: string): Record<'cached' | 'fresh', BehaviorOptions> {
    const origin = new HttpOrigin(host, {
      protocolPolicy: OriginProtocolPolicy.HTTPS_ONLY,
      originSslProtocols: [OriginSslPolicy.TLS_V1_2],
      // As long as API Gateway takes.
      readTimeout: Duration.seconds(30),
    });
    const common = { origin, viewerProtocolPolicy: ViewerProtocolPolicy.HTTPS_ONLY };
    return {
      fresh: {
        ...common,
        allowedMethods: AllowedMethods.ALLOW_ALL,
        cachePolicy: CachePolicy.CACHING_DISABLED,
        // API Gateway knows itself by its own name alone.
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
      },
      cached: {
        ...common,
        allowedMethods: AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
        cachePolicy: new CachePolicy(this, 'ByQuery', {
          comment: 'Answers to everyone, by what was asked, for as long as they say',
          // Nothing is kept unless the answer says so.
          minTtl: Duration.seconds(0),
          defaultTtl: Duration.seconds(0),
          maxTtl: KEPT_AT_MOST,
          queryStringBehavior: CacheQueryStringBehavior.all(),
          headerBehavior: CacheHeaderBehavior.none(),
          cookieBehavior: CacheCookieBehavior.none(),
          enableAcceptEncodingGzip: true,
          enableAcceptEncodingBrotli: true,
        }),
      },
    };
  }

  private acknowledge(files: Bucket, hasDomain: boolean): void {
    this.acknowledgeDeployment(files);
    Validations.of(files).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'CloudFront alone reads it, and the files are public.',
    });
    Validations.of(this.distribution).acknowledge(
      { id: 'AwsSolutions-CFR1', reason: 'Guests look for homestays from wherever they are.' },
      {
        id: 'AwsSolutions-CFR2',
        reason: 'Static files, and an API that limits each route itself; a firewall is priced by the month.',
      },
      {
        id: 'AwsSolutions-CFR3',
        reason:
          'Its log has the addresses of guests and what they looked for; the log of the API has neither.',
      },
    );
    if (!hasDomain) {
      Validations.of(this.distribution).acknowledge({
        id: 'AwsSolutions-CFR4',
        reason:
          "CloudFront's own certificate decides: TLS 1.2 at least takes a name of ours (-c webDomainName).",
      });
    }
  }

  /** The function of the CDK that copies the files, of which there is one in a stack, whatever asks for it. */
  private acknowledgeDeployment(files: Bucket): void {
    const stack = Stack.of(this);
    const copier = stack.node.children.find((it) => it.node.id.startsWith('Custom::CDKBucketDeployment'));
    if (copier === undefined) throw new Error('the CDK copies the files in another way than it did');
    const assets = 'arn:<AWS::Partition>:s3:::cdk-hnb659fds-assets-<AWS::AccountId>-<AWS::Region>/*';
    for (const id of [
      'AwsSolutions-L1',
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
      ...['GetBucket', 'GetObject', 'List', 'Abort', 'DeleteObject'].map(
        (action) => `AwsSolutions-IAM5[Action::s3:${action}*]`,
      ),
      ...[assets, `${flatten(stack.resolve(files.bucketArn))}/*`, '*'].map(
        (resource) => `AwsSolutions-IAM5[Resource::${resource}]`,
      ),
    ]) {
      Validations.of(copier).acknowledge({
        id,
        reason:
          'A function of the CDK: it runs while this stack is deployed, on its two buckets and its distribution.',
      });
    }
  }
}

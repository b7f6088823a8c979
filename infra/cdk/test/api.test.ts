import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { CLAIM_QUEUE, ROUTES, routeKey } from '../lib/routes.ts';
import { synthesize } from './synthesize.ts';

const ROUTE = 'AWS::ApiGatewayV2::Route';
const STAGE = 'AWS::ApiGatewayV2::Stage';
const API = 'AWS::ApiGatewayV2::Api';

const api = synthesize('prod').template('Api');
const routes = Object.values(api.findResources(ROUTE)).map(({ Properties }) => Properties);
const onlyStage = Object.values(api.findResources(STAGE))[0]?.Properties;

describe('authorization', () => {
  const keysOf = (type: string) =>
    routes.filter(({ AuthorizationType }) => AuthorizationType === type).map(({ RouteKey }) => RouteKey);

  it('leaves open only what is on sale, the search, and what providers prove in their own ways', () => {
    expect(keysOf('NONE').sort()).toEqual([
      'GET /v1/campaigns',
      'GET /v1/campaigns/{id}',
      'GET /v1/coupon-templates',
      'GET /v1/coupon-templates/{id}',
      'GET /v1/delivery-reports/{provider}',
      'GET /v1/homestays/hot-searches',
      'GET /v1/homestays/search',
      'GET /v1/homestays/suggest',
      'GET /v1/homestays/{id}',
      'POST /v1/delivery-reports/{provider}',
      'POST /v1/search-clicks',
    ]);
  });

  it('asks a signature of a role that may invoke it for what services do in the name of guests', () => {
    const lock = '/v1/internal/guests/{guestId}/coupons/{id}/lock';
    expect(keysOf('AWS_IAM')).toContain(`POST ${lock}`);
    const isInternal = (key: string) => key.includes(' /v1/internal/');
    expect(routes.map(({ RouteKey }) => RouteKey).filter(isInternal)).toEqual(keysOf('AWS_IAM'));
    expect(keysOf('AWS_IAM').every(isInternal)).toBe(true);
    api.hasOutput('InternalApiArn', {
      Value: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('/\\*/\\*/v1/internal/\\*$')])] },
    });
  });

  it('asks an access token of the pool for everything else, and refuses ID tokens by the scope', () => {
    const [authorizerId] = Object.keys(api.findResources('AWS::ApiGatewayV2::Authorizer'));
    const closed = routes.filter(({ AuthorizationType }) => AuthorizationType === 'JWT');
    expect(keysOf('JWT')).toHaveLength(routes.length - keysOf('NONE').length - keysOf('AWS_IAM').length);
    for (const { RouteKey } of closed) {
      expect(RouteKey).toMatch(/ \/v1\/(me|admin|claims|homestays|notifications)(\/|$)|^POST .*claims$/);
    }
    for (const { AuthorizerId, AuthorizationScopes } of closed) {
      expect(AuthorizerId).toEqual({ Ref: authorizerId });
      expect(AuthorizationScopes).toEqual(['aws.cognito.signin.user.admin']);
    }
  });

  it('trusts the pool as issuer and its client as audience', () => {
    api.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: {
        Issuer: Match.objectLike({ 'Fn::Join': Match.anyValue() }),
        Audience: [Match.objectLike({ 'Fn::ImportValue': Match.anyValue() })],
      },
    });
  });
});

describe('throttling', () => {
  it('has a limit for every route, and the highest for claims', () => {
    const settings = onlyStage?.RouteSettings as Record<string, { ThrottlingRateLimit: number }>;
    expect(Object.keys(settings).sort()).toEqual(ROUTES.map(routeKey).sort());
    const claims = [
      'POST /v1/campaigns/{id}/claims',
      'POST /v1/coupon-templates/{id}/claims',
      'POST /v1/coupon-templates/{id}/queued-claims',
    ];
    for (const [key, { ThrottlingRateLimit }] of Object.entries(settings)) {
      if (claims.includes(key)) expect(ThrottlingRateLimit).toBe(8000);
      else expect(ThrottlingRateLimit).toBeLessThan(8000);
    }
  });

  it('gives a route without a limit of its own the least', () => {
    expect(onlyStage?.DefaultRouteSettings).toMatchObject({
      ThrottlingRateLimit: 20,
      ThrottlingBurstLimit: 40,
    });
  });

  it('follows the context', () => {
    synthesize('prod', { claimRate: '30000', claimBurst: '15000' })
      .template('Api')
      .hasResourceProperties(STAGE, {
        RouteSettings: Match.objectLike({
          'POST /v1/coupon-templates/{id}/claims': {
            ThrottlingRateLimit: 30_000,
            ThrottlingBurstLimit: 15_000,
          },
        }),
      });
  });

  it('is set after the routes exist, for CloudFormation refuses it before', () => {
    const [stage] = Object.values(api.findResources(STAGE));
    expect(stage?.DependsOn).toEqual(expect.arrayContaining(Object.keys(api.findResources(ROUTE))));
  });
});

describe('the access log', () => {
  it('is JSON and holds nothing personal', () => {
    const format = onlyStage?.AccessLogSettings.Format as string;
    expect(Object.keys(JSON.parse(format))).toEqual(
      expect.arrayContaining([
        'requestId',
        'routeKey',
        'status',
        'latencyMs',
        'integrationLatencyMs',
        'error',
      ]),
    );
    expect(format).not.toMatch(/identity|claims|sourceIp|userAgent|\$context\.path|authorizer\.(?!error)/);
  });
});

describe('integrations', () => {
  const integrations = Object.values(api.findResources('AWS::ApiGatewayV2::Integration')).map(
    ({ Properties }) => Properties,
  );

  it('pass requests on in format 2.0 and outlast the function’s time-out', () => {
    const ofFunctions = integrations.filter(({ IntegrationSubtype }) => IntegrationSubtype === undefined);
    expect(ofFunctions).toHaveLength(
      new Set(ROUTES.map(({ target }) => target).filter((it) => it !== CLAIM_QUEUE)).size,
    );
    for (const { PayloadFormatVersion, TimeoutInMillis } of ofFunctions) {
      expect(PayloadFormatVersion).toBe('2.0');
      expect([6000, 11_000, 21_000, 29_000]).toContain(TimeoutInMillis);
    }
  });

  const queued = integrations.find(({ IntegrationSubtype }) => IntegrationSubtype === 'SQS-SendMessage');

  it('put a queued claim into the queue as fields between spaces, the caller’s own words last', () => {
    expect(queued?.RequestParameters).toEqual({
      QueueUrl: { 'Fn::ImportValue': expect.stringContaining('ClaimQueue') },
      MessageBody: [
        'context.requestId',
        'context.requestTimeEpoch',
        'context.authorizer.claims.sub',
        'request.path.id',
        'request.header.idempotency-key',
      ]
        .map((variable) => `\${${variable}}`)
        .join(' '),
      MessageGroupId: '$request.path.id',
    });
  });

  it('answer a queued claim with where its outcome will be', () => {
    expect(queued?.ResponseParameters).toEqual({
      200: {
        ResponseParameters: [
          { Destination: 'overwrite:statuscode', Source: '202' },
          { Destination: 'overwrite:header.Location', Source: `/v1/claims/\${context.requestId}` },
        ],
      },
    });
  });

  it('may send to the claim queue, and do nothing else', () => {
    const [role, ...others] = Object.keys(api.findResources('AWS::IAM::Role'));
    expect(others).toEqual([]);
    expect(queued?.CredentialsArn).toEqual({ 'Fn::GetAtt': [role, 'Arn'] });
    const policies = Object.values(api.findResources('AWS::IAM::Policy'));
    expect(policies.flatMap(({ Properties }) => Properties.PolicyDocument.Statement)).toEqual([
      {
        Sid: 'AllowSqsExecution',
        Effect: 'Allow',
        Action: 'sqs:SendMessage',
        Resource: { 'Fn::ImportValue': expect.stringContaining('ClaimQueue') },
      },
    ]);
  });
});

describe('CORS', () => {
  it('lets pages read the headers the API speaks with', () => {
    synthesize('prod', { corsOrigins: 'https://www.example.com' })
      .template('Api')
      .hasResourceProperties(API, {
        CorsConfiguration: {
          AllowOrigins: ['https://www.example.com'],
          AllowMethods: ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'],
          AllowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match'],
          ExposeHeaders: ['ETag', 'Location', 'Idempotent-Replayed', 'Retry-After'],
        },
      });
  });

  it('is off in prod until origins are named', () => {
    api.hasResourceProperties(API, { CorsConfiguration: Match.absent() });
  });
});

describe('the custom domain', () => {
  const context = {
    domainName: 'api.example.com',
    certificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
  };
  const withDomain = synthesize('prod', context).template('Api');

  it('is the only way in', () => {
    withDomain.hasResourceProperties('AWS::ApiGatewayV2::DomainName', { DomainName: 'api.example.com' });
    withDomain.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', { Stage: Match.anyValue() });
    withDomain.hasResourceProperties(API, { DisableExecuteApiEndpoint: true });
  });

  it('is what callers are told, with the target of its DNS alias', () => {
    withDomain.hasOutput('ApiUrl', { Value: 'https://api.example.com/' });
    withDomain.hasOutput('ApiDomainTarget', {});
  });
});

import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { ROUTES, routeKey } from '../lib/routes.ts';
import { synthesize } from './synthesize.ts';

const ROUTE = 'AWS::ApiGatewayV2::Route';
const STAGE = 'AWS::ApiGatewayV2::Stage';
const API = 'AWS::ApiGatewayV2::Api';

const api = synthesize('prod').template('Api');
const routes = Object.values(api.findResources(ROUTE)).map(({ Properties }) => Properties);
const onlyStage = Object.values(api.findResources(STAGE))[0]?.Properties;

describe('authorization', () => {
  it('leaves public only what is on sale', () => {
    const open = routes.filter(({ AuthorizationType }) => AuthorizationType !== 'JWT');
    expect(open.map(({ RouteKey }) => RouteKey).sort()).toEqual([
      'GET /v1/coupon-templates',
      'GET /v1/coupon-templates/{id}',
    ]);
  });

  it('asks an access token of the pool for everything else, and refuses ID tokens by the scope', () => {
    const [authorizerId] = Object.keys(api.findResources('AWS::ApiGatewayV2::Authorizer'));
    const closed = routes.filter(({ AuthorizationType }) => AuthorizationType === 'JWT');
    expect(closed.map(({ RouteKey }) => RouteKey).sort()).toEqual([
      'GET /v1/admin/coupon-templates',
      'GET /v1/admin/coupon-templates/{id}',
      'GET /v1/me/coupons',
      'GET /v1/me/coupons/{id}',
      'PATCH /v1/admin/coupon-templates/{id}',
      'POST /v1/admin/coupon-templates',
      'POST /v1/coupon-templates/{id}/claims',
    ]);
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
    const { 'POST /v1/coupon-templates/{id}/claims': claim, ...others } = settings;
    for (const other of Object.values(others)) {
      expect(claim?.ThrottlingRateLimit).toBeGreaterThan(other.ThrottlingRateLimit);
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
  it('pass requests on in format 2.0 and outlast the function’s time-out', () => {
    const seconds = Object.values(api.findResources('AWS::ApiGatewayV2::Integration')).map(
      ({ Properties }) => {
        expect(Properties.PayloadFormatVersion).toBe('2.0');
        return Properties.TimeoutInMillis / 1000;
      },
    );
    expect(seconds.sort((a, b) => a - b)).toEqual([6, 6, 6, 21]);
  });
});

describe('CORS', () => {
  it('lets pages read the headers the API speaks with', () => {
    synthesize('prod', { corsOrigins: 'https://www.example.com' })
      .template('Api')
      .hasResourceProperties(API, {
        CorsConfiguration: {
          AllowOrigins: ['https://www.example.com'],
          AllowMethods: ['GET', 'POST', 'PATCH'],
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

import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  type AddRoutesOptions,
  type CfnStage,
  CorsHttpMethod,
  DomainName,
  HttpApi,
  type HttpRouteIntegration,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpUserPoolAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IUserPool, IUserPoolClient } from 'aws-cdk-lib/aws-cognito';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { CustomDomain, StageConfig } from '../config.ts';
import type { FunctionName } from '../functions.ts';
import { type Access, CLAIM_QUEUE, ROUTES, type Route, routeKey } from '../routes.ts';
import { QueuedClaims } from './queued-claims.ts';
import type { RustFunction } from './rust-function.ts';

/** In every access token that a sign-in gives, and in no ID token. */
const ACCESS_TOKEN_SCOPE = 'aws.cognito.signin.user.admin';

/** Initialization is outside a function's time-out but inside the gateway's. */
const COLD_START_ALLOWANCE = Duration.seconds(1);

/** No address, no user: what is not logged needs no protection. */
const ACCESS_LOG = JSON.stringify({
  requestId: '$context.requestId',
  time: '$context.requestTimeEpoch',
  routeKey: '$context.routeKey',
  status: '$context.status',
  latencyMs: '$context.responseLatency',
  integrationLatencyMs: '$context.integrationLatency',
  error: '$context.error.responseType',
  authorizerError: '$context.authorizer.error',
  integrationError: '$context.integration.error',
});

/** Why API Gateway lets anyone call a route. */
const WHY_OPEN: Partial<Record<Access, string>> = {
  public: 'Anyone may see what is on sale, and look for a homestay.',
  provider: 'The function has the provider prove itself, each in its own way, which API Gateway cannot.',
};

export interface CouponApiProps {
  readonly config: StageConfig;
  readonly userPool: IUserPool;
  readonly userPoolClient: IUserPoolClient;
  readonly functions: Readonly<Record<FunctionName, RustFunction>>;
  readonly claimQueue: IQueue;
}

/** The public HTTP API: the table of routes, each with its authorization and its own limit. */
export class CouponApi extends Construct {
  readonly httpApi: HttpApi;
  readonly url: string;
  readonly domain?: DomainName;
  /** What a role of ours must be allowed to invoke to call the routes for services. */
  readonly internalArn: string;

  constructor(scope: Construct, id: string, props: CouponApiProps) {
    super(scope, id);
    const { config } = props;
    this.domain = config.customDomain && this.customDomain(config.customDomain);
    this.httpApi = new HttpApi(this, 'Http', {
      apiName: `flashsale-${config.stage}`,
      createDefaultStage: false,
      corsPreflight: cors(config.corsOrigins),
      disableExecuteApiEndpoint: this.domain !== undefined,
    });
    const stage = this.stage(config);
    this.addRoutes(props, stage);
    limitRoutes(stage, config.throttles);
    this.internalArn = this.httpApi.arnForExecuteApi('*', '/v1/internal/*', '*');
    this.url = config.customDomain ? `https://${config.customDomain.domainName}/` : stage.url;
  }

  private customDomain({ domainName, certificateArn }: CustomDomain): DomainName {
    return new DomainName(this, 'Domain', {
      domainName,
      certificate: Certificate.fromCertificateArn(this, 'Certificate', certificateArn),
    });
  }

  private stage(config: StageConfig): HttpStage {
    const accessLogs = new LogGroup(this, 'AccessLogs', {
      retention: config.logRetentionDays,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    return new HttpStage(this, 'Stage', {
      httpApi: this.httpApi,
      autoDeploy: true,
      // A route that no one thought about gets the least.
      throttle: config.throttles.admin,
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(ACCESS_LOG),
      },
      domainMapping: this.domain && { domainName: this.domain },
    });
  }

  private addRoutes(props: CouponApiProps, stage: HttpStage): void {
    const integrations = integrationsOf(props);
    const authorizations = authorizationsFor(props);
    for (const route of ROUTES) {
      const added = this.httpApi.addRoutes({
        path: route.path,
        methods: [route.method],
        integration: integrations.get(route.target) as HttpRouteIntegration,
        ...authorizations[route.access],
      });
      // CloudFormation refuses a limit for a route that is not there yet.
      stage.node.addDependency(...added);
      const reason = WHY_OPEN[route.access];
      if (reason)
        for (const it of added) Validations.of(it).acknowledge({ id: 'AwsSolutions-APIG4', reason });
    }
  }
}

function integrationsOf({ functions, claimQueue }: CouponApiProps) {
  const integrations = new Map<Route['target'], HttpRouteIntegration>();
  for (const fn of Object.values(functions)) {
    const timeout = fn.timeout?.plus(COLD_START_ALLOWANCE);
    integrations.set(fn.name, new HttpLambdaIntegration(fn.name, fn, { timeout }));
  }
  return integrations.set(CLAIM_QUEUE, new QueuedClaims(claimQueue));
}

function authorizationsFor({ userPool, userPoolClient }: CouponApiProps) {
  const accessToken = new HttpUserPoolAuthorizer('AccessToken', userPool, {
    userPoolClients: [userPoolClient],
  });
  return {
    public: {},
    provider: {},
    token: { authorizer: accessToken, authorizationScopes: [ACCESS_TOKEN_SCOPE] },
    iam: { authorizer: new HttpIamAuthorizer() },
  } satisfies Record<Access, Pick<AddRoutesOptions, 'authorizer' | 'authorizationScopes'>>;
}

/** The L2 construct knows no limits per route; CloudFormation takes them as plain JSON. */
function limitRoutes(stage: HttpStage, throttles: StageConfig['throttles']): void {
  const cfnStage = stage.node.defaultChild as CfnStage;
  cfnStage.routeSettings = Object.fromEntries(
    ROUTES.map((route) => {
      const { rateLimit, burstLimit } = throttles[route.throttle];
      return [routeKey(route), { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit }];
    }),
  );
}

function cors(origins: readonly string[]) {
  if (origins.length === 0) return undefined;
  return {
    allowOrigins: [...origins],
    allowMethods: [
      CorsHttpMethod.GET,
      CorsHttpMethod.POST,
      CorsHttpMethod.PATCH,
      CorsHttpMethod.PUT,
      CorsHttpMethod.DELETE,
    ],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match'],
    exposeHeaders: ['ETag', 'Location', 'Idempotent-Replayed', 'Retry-After'],
    maxAge: Duration.hours(1),
  };
}

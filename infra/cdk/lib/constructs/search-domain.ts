import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import {
  AccountRootPrincipal,
  Effect,
  PolicyDocument,
  PolicyStatement,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { CfnResourcePolicy, LogGroup } from 'aws-cdk-lib/aws-logs';
import { CfnDomain } from 'aws-cdk-lib/aws-opensearchservice';
import { Construct } from 'constructs';
import type { SearchDomainSize, StageConfig } from '../config.ts';
import { acknowledgeWildcard, type RustFunction } from './rust-function.ts';
import type { SearchIndex } from './search-index.ts';

/** With the node that the adapter is tested against; it has IK for Chinese built in. */
const ENGINE = 'OpenSearch_2.19';

/** An index on a domain, reached by signed requests of its paths. */
export class DomainIndex implements SearchIndex {
  readonly environment;

  constructor(
    location: string,
    readonly domainArn: string,
    /** Of which the domain is, unless it was there before. */
    private readonly owner?: Stack,
  ) {
    this.environment = { SEARCH_INDEX: location };
  }

  waysTo(): Record<string, string> {
    return {};
  }

  allowReading(): PolicyStatement[] {
    return [
      allow(
        ['es:ESHttpGet', 'es:ESHttpPost'],
        READ_PATHS.map((path) => `${this.domainArn}/${path}`),
      ),
    ];
  }

  allowWriting(): PolicyStatement[] {
    return [
      allow(
        ['es:ESHttpDelete', 'es:ESHttpGet', 'es:ESHttpPost', 'es:ESHttpPut'],
        [...READ_PATHS, ...WRITE_PATHS].map((path) => `${this.domainArn}/${path}`),
      ),
    ];
  }

  acknowledge(fn: RustFunction): void {
    const isElsewhere = this.owner !== undefined && this.owner !== fn.stack;
    const arn = isElsewhere ? this.owner.exportValue(this.domainArn) : this.domainArn;
    for (const path of [...READ_PATHS, ...WRITE_PATHS]) {
      if (!path.includes('*')) continue;
      const reason = 'Generations of the index are named when they are made, behind a prefix that is known.';
      acknowledgeWildcard(fn, `${arn}/${path}`, reason);
    }
  }
}

/** Generations, their aliases and snapshots; and a search in a snapshot, which names no index. */
const READ_PATHS = ['homestays*', '_search'];
/** What is done to several at once. */
const WRITE_PATHS = ['_aliases', '_bulk'];

function allow(actions: string[], resources: string[]): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, actions, resources });
}

/** A domain of OpenSearch Service, which answers signed requests of our functions' roles alone. */
export class SearchDomain extends Construct {
  readonly index: DomainIndex;

  constructor(scope: Construct, id: string, config: StageConfig, size: SearchDomainSize) {
    super(scope, id);
    const { stage, protectData, logRetentionDays } = config;
    const spread = size.instances > 1;
    const removalPolicy = protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const logs = (of: string) => new LogGroup(this, of, { retention: logRetentionDays, removalPolicy });
    const [errors, slowSearches, slowWrites] = [logs('Errors'), logs('SlowSearches'), logs('SlowWrites')];
    const mayLog = new CfnResourcePolicy(this, 'MayLog', {
      // One of the ten that an account has: it needs a name, and each stage its own.
      policyName: `flashsale-${stage}-search`,
      policyDocument: JSON.stringify(Stack.of(this).resolve(writing([errors, slowSearches, slowWrites]))),
    });
    const publish = (group: LogGroup) => ({
      enabled: true,
      cloudWatchLogsLogGroupArn: group.logGroupArn,
    });

    const domain = new CfnDomain(this, 'Domain', {
      engineVersion: ENGINE,
      clusterConfig: {
        instanceType: size.instanceType,
        instanceCount: size.instances,
        zoneAwarenessEnabled: spread,
        zoneAwarenessConfig: spread ? { availabilityZoneCount: 2 } : undefined,
        dedicatedMasterEnabled: false,
        multiAzWithStandbyEnabled: false,
      },
      ebsOptions: { ebsEnabled: true, volumeType: 'gp3', volumeSize: size.volumeGiB },
      encryptionAtRestOptions: { enabled: true },
      nodeToNodeEncryptionOptions: { enabled: true },
      domainEndpointOptions: { enforceHttps: true, tlsSecurityPolicy: 'Policy-Min-TLS-1-2-PFS-2023-10' },
      // What a role of this account is allowed by its own policy, and nobody else anything.
      accessPolicies: new PolicyDocument({
        statements: [
          new PolicyStatement({
            effect: Effect.ALLOW,
            principals: [new AccountRootPrincipal()],
            actions: ['es:ESHttp*'],
            resources: [Stack.of(this).formatArn({ service: 'es', resource: 'domain', resourceName: '*' })],
          }),
        ],
      }),
      logPublishingOptions: {
        ES_APPLICATION_LOGS: publish(errors),
        SEARCH_SLOW_LOGS: publish(slowSearches),
        INDEX_SLOW_LOGS: publish(slowWrites),
      },
      softwareUpdateOptions: { autoSoftwareUpdateEnabled: true },
      offPeakWindowOptions: { enabled: true },
    });
    domain.addResourceDependency(mayLog);
    domain.applyRemovalPolicy(removalPolicy);
    // Larger instances and new versions replace nothing.
    domain.cfnOptions.updatePolicy = { enableVersionUpgrade: true };
    this.index = new DomainIndex(`https://${domain.attrDomainEndpoint}`, domain.attrArn, Stack.of(this));

    Validations.of(domain).acknowledge(
      {
        id: 'AwsSolutions-OS1',
        reason: 'Functions outside of a network reach it; every request is signed by a role that may.',
      },
      { id: 'AwsSolutions-OS3', reason: 'Functions have no addresses of their own; they sign instead.' },
      {
        id: 'AwsSolutions-OS4',
        reason:
          'Three more nodes for a copy of a table that is rebuilt in minutes would cost more than the data nodes.',
      },
    );
    if (!spread) {
      Validations.of(domain).acknowledge({
        id: 'AwsSolutions-OS7',
        reason: 'A single node, where nothing is guarded: -c searchInstances=2 spreads it over zones.',
      });
    }
  }
}

function writing(groups: readonly LogGroup[]): PolicyDocument {
  return new PolicyDocument({
    statements: [
      new PolicyStatement({
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('es.amazonaws.com')],
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: groups.map((group) => group.logGroupArn),
      }),
    ],
  });
}

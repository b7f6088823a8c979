import {
  CfnOutput,
  CustomResource,
  Duration,
  RemovalPolicy,
  Stack,
  type StackProps,
  Validations,
} from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Provider } from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { EmbeddedIndex } from '../constructs/embedded-index.ts';
import { flatten, outputNames, RustFunction } from '../constructs/rust-function.ts';
import { DomainIndex, SearchDomain } from '../constructs/search-domain.ts';
import { PlainIndex, type SearchIndex } from '../constructs/search-index.ts';

export interface SearchIndexStackProps extends StackProps {
  readonly config: StageConfig;
}

/**
 * Where homestays are found: a copy of their table, which is made anew from it. Who deploys this stack finds an index in it,
 * for `prepare-search-domain` has run by then; but on this machine, where it is invoked after the deployment.
 */
export class SearchIndexStack extends Stack {
  readonly index: SearchIndex;
  readonly functions;

  constructor(scope: Construct, id: string, { config, ...props }: SearchIndexStackProps) {
    super(scope, id, props);
    this.index = this.place(config);
    const { network, environment } = this.index;

    const prepare = new RustFunction(this, 'PrepareSearchDomain', {
      config,
      name: 'prepare-search-domain',
      description:
        'Makes the place of the index ready when it is deployed: packages, first generation, alias',
      memorySize: 256,
      // A call does what can be done now; a domain that takes its time is asked again.
      timeout: Duration.minutes(2),
      p99Goal: Duration.minutes(1),
      environment,
      network,
      permissions: [...this.index.allowWriting(), ...preparing(this.index)],
    });
    this.index.acknowledge(prepare);
    this.functions = { 'prepare-search-domain': prepare };
    if (config.stage !== 'local') this.prepare(config, prepare);

    if (environment.SEARCH_INDEX) {
      new CfnOutput(this, 'SearchIndexLocation', { value: environment.SEARCH_INDEX });
    }
    outputNames([prepare]);
  }

  private place(config: StageConfig): SearchIndex {
    const { search } = config;
    switch (search.kind) {
      case 'folder':
        return new PlainIndex(search.folder && `file:${search.folder}`);
      case 'existing':
        return search.arn ? new DomainIndex(search.endpoint, search.arn) : new PlainIndex(search.endpoint);
      case 'embedded':
        return new EmbeddedIndex(this, 'Embedded', config, search.wayOut);
      case 'domain':
        return new SearchDomain(this, 'Search', config, search).index;
    }
  }

  private prepare(config: StageConfig, prepare: RustFunction): void {
    const isDomain = this.index instanceof DomainIndex;
    const provider = new Provider(this, 'Preparation', {
      onEventHandler: prepare,
      // Packages take minutes to get onto a domain; a folder is ready at once.
      isCompleteHandler: isDomain ? prepare : undefined,
      queryInterval: isDomain ? Duration.seconds(30) : undefined,
      totalTimeout: isDomain ? Duration.hours(1) : undefined,
      logGroup: new LogGroup(this, 'PreparationLogs', {
        retention: config.logRetentionDays,
        removalPolicy: RemovalPolicy.DESTROY,
      }),
    });
    this.acknowledge(provider, prepare);
    new CustomResource(this, 'Prepared', {
      resourceType: 'Custom::PreparedSearchIndex',
      serviceToken: provider.serviceToken,
      properties: {
        // What changes is prepared again.
        index: this.index.environment.SEARCH_INDEX,
        ...(this.index instanceof DomainIndex && { domainArn: this.index.domainArn }),
        ...(config.search.kind === 'domain' && { packages: config.search.packages }),
      },
    });
  }

  private acknowledge(provider: Provider, prepare: RustFunction): void {
    const called = provider.node
      .findAll()
      .filter((it): it is LambdaFunction => it instanceof LambdaFunction)
      .concat(prepare)
      .map((it) => `AwsSolutions-IAM5[Resource::${flatten(this.resolve(it.functionArn))}:*]`);
    const managed =
      'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]';
    for (const id of [managed, 'AwsSolutions-SF1', 'AwsSolutions-SF2', ...called]) {
      Validations.of(provider).acknowledge({ id, reason: OF_THE_CDK });
    }
  }
}

const OF_THE_CDK = 'The provider framework of the CDK, which runs while this stack is deployed.';

/** Of a domain, to look at it and to put packages for Chinese onto it. */
function preparing(index: SearchIndex): PolicyStatement[] {
  if (!(index instanceof DomainIndex)) return [];
  const allow = (resource: string, ...actions: string[]) =>
    new PolicyStatement({ effect: Effect.ALLOW, actions, resources: [resource] });
  return [
    allow(index.domainArn, 'es:DescribeDomain', 'es:AssociatePackage', 'es:ListPackagesForDomain'),
    // Of all that there are, which IAM cannot restrict.
    allow('*', 'es:DescribePackages'),
  ];
}

import { Match, type Template } from 'aws-cdk-lib/assertions';
import { Validator } from 'jsonschema';
import { describe, expect, it } from 'vitest';
import RULES_SCHEMA from '../../../shared/domain/homestay/rules.schema.json' with { type: 'json' };
import RULES from '../../../shared/domain/homestay/tests/rules/documents.json' with { type: 'json' };
import { FIRST_SEARCH_RULES } from '../lib/constructs/search-rules-document.ts';
import { type Synthesized, synthesize } from './synthesize.ts';

const FUNCTION = 'AWS::Lambda::Function';
const GROUP = 'AWS::EC2::SecurityGroup';
const DOMAIN = 'AWS::OpenSearchService::Domain';

/** Those that open the index. */
const INDEXED = [
  'IndexHomestay',
  'ManageSearchIndex',
  'PrepareSearchDomain',
  'ReindexHomestays',
  'SearchHomestays',
  'SuggestHomestays',
];

const embedded = synthesize('prod');
const place = embedded.template('SearchIndex');

interface Found {
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape depends on the type of the resource.
  readonly Properties: any;
}

/** Of ours, without those of the CDK. */
function functionsOf({ template }: Synthesized): Found[] {
  return (['SearchIndex', 'Search'] as const).flatMap((stack) =>
    Object.entries(template(stack).findResources(FUNCTION))
      .filter(([id]) => !id.startsWith('Preparation'))
      .map(([id, { Properties }]) => ({ id: id.slice(0, -8), Properties })),
  );
}

/** Names of functions whose properties are so. */
function those(synthesized: Synthesized, are: (properties: Found['Properties']) => boolean): string[] {
  return functionsOf(synthesized)
    .filter(({ Properties }) => are(Properties))
    .map(({ id }) => id)
    .sort();
}

describe('an embedded index', () => {
  it('is mounted by the functions that open it, in their network, and no other is in one', () => {
    expect(those(embedded, ({ FileSystemConfigs }) => FileSystemConfigs !== undefined)).toEqual(INDEXED);
    expect(those(embedded, ({ VpcConfig }) => VpcConfig !== undefined)).toEqual(INDEXED);
    for (const { id, Properties } of functionsOf(embedded)) {
      if (!INDEXED.includes(id)) continue;
      expect(Properties.FileSystemConfigs).toEqual([
        { Arn: expect.anything(), LocalMountPath: '/mnt/search' },
      ]);
      expect(Properties.Environment.Variables.SEARCH_INDEX).toBe('file:/mnt/search');
      expect(Properties.VpcConfig).toMatchObject({
        Ipv6AllowedForDualStack: true,
        SubnetIds: [expect.anything(), expect.anything()],
        SecurityGroupIds: [expect.anything()],
      });
    }
  });

  it('is written to by those that change it; searchers mount it read-only', () => {
    const writing = (['SearchIndex', 'Search'] as const).flatMap((stack) =>
      Object.entries(embedded.template(stack).findResources('AWS::IAM::Policy'))
        .filter(([, it]) => JSON.stringify(it).includes('elasticfilesystem:ClientWrite'))
        .map(([id]) => id.replace(/RoleDefaultPolicy.*/, '')),
    );
    expect(writing.sort()).toEqual(INDEXED.filter((id) => !/^(Search|Suggest)/.test(id)));
  });

  it('is mounted through its access point alone, which confines whoever does to one folder and one owner', () => {
    place.hasResourceProperties('AWS::EFS::AccessPoint', {
      PosixUser: { Uid: '1001', Gid: '1001' },
      RootDirectory: { Path: '/search', CreationInfo: Match.objectLike({ Permissions: '750' }) },
    });
    const statements = (['SearchIndex', 'Search'] as const).flatMap((stack) =>
      Object.values(embedded.template(stack).findResources('AWS::IAM::Policy')).flatMap(
        ({ Properties }) => Properties.PolicyDocument.Statement,
      ),
    );
    const mounting = statements.filter(({ Action }) => JSON.stringify(Action).includes('elasticfilesystem:'));
    expect(mounting).toHaveLength(INDEXED.length);
    for (const { Condition, Resource } of mounting) {
      expect(Object.keys(Condition.StringEquals)).toEqual(['elasticfilesystem:AccessPointArn']);
      expect(JSON.stringify(Resource)).toContain('FileSystem');
    }
  });

  it('is encrypted on disk and on the way, backed up, kept when its stack goes, and paid by use', () => {
    place.hasResource('AWS::EFS::FileSystem', {
      DeletionPolicy: 'Retain',
      Properties: {
        Encrypted: true,
        BackupPolicy: { Status: 'ENABLED' },
        ThroughputMode: 'elastic',
        LifecyclePolicies: Match.arrayWith([{ TransitionToIA: 'AFTER_30_DAYS' }]),
        FileSystemPolicy: {
          Statement: [
            Match.objectLike({
              Effect: 'Deny',
              Principal: { AWS: '*' },
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            }),
          ],
        },
      },
    });
    synthesize('dev')
      .template('SearchIndex')
      .hasResource('AWS::EFS::FileSystem', { DeletionPolicy: 'Delete' });
  });

  it('is reached by the functions on the port of NFS, and by nobody else', () => {
    place.resourceCountIs('AWS::EC2::SecurityGroupIngress', 1);
    place.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      IpProtocol: 'tcp',
      FromPort: 2049,
      ToPort: 2049,
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^EmbeddedFunctions'), 'GroupId'] },
    });
    for (const { Properties } of Object.values(place.findResources(GROUP))) {
      expect(Properties.SecurityGroupIngress).toBeUndefined();
    }
  });

  it('lets its functions out to HTTPS alone', () => {
    const [group] = Object.entries(place.findResources(GROUP)).filter(([id]) =>
      id.startsWith('EmbeddedFunctions'),
    );
    const ways = group?.[1].Properties.SecurityGroupEgress.map(
      // biome-ignore lint/suspicious/noExplicitAny: as CloudFormation spells it.
      ({ CidrIp, CidrIpv6, FromPort, ToPort }: any) => [CidrIp ?? CidrIpv6, FromPort, ToPort],
    );
    expect(ways).toEqual([
      ['0.0.0.0/0', 443, 443],
      ['::/0', 443, 443],
    ]);
  });

  it('costs nothing by the hour: gateways that are free, in two zones, and no way in', () => {
    const types = Object.values(place.toJSON().Resources as Record<string, { Type: string }>).map(
      (it) => it.Type,
    );
    expect(types).not.toContain('AWS::EC2::NatGateway');
    expect(types).not.toContain('AWS::EC2::InternetGateway');
    expect(types).toContain('AWS::EC2::EgressOnlyInternetGateway');
    place.resourceCountIs('AWS::EC2::Subnet', 2);
    const endpoints = Object.values(place.findResources('AWS::EC2::VPCEndpoint')).map(
      ({ Properties }) => Properties.VpcEndpointType,
    );
    expect(endpoints).toEqual(['Gateway', 'Gateway']);
    for (const { Properties } of Object.values(place.findResources('AWS::EC2::Route'))) {
      expect(Properties.DestinationCidrBlock).toBeUndefined();
      expect(Properties.DestinationIpv6CidrBlock).toBe('::/0');
    }
  });

  it('has its functions call SQS and AppConfig where they speak IPv6', () => {
    const variables = Object.fromEntries(
      functionsOf(embedded).map(({ id, Properties }) => [id, Properties.Environment.Variables]),
    );
    const url = (service: string) => ({
      'Fn::Join': [
        '',
        [
          `https://${service}.`,
          { Ref: 'AWS::Region' },
          '.',
          { 'Fn::FindInMap': ['DualStackEndpoints', { Ref: 'AWS::Partition' }, 'suffix'] },
        ],
      ],
    });
    expect(variables.SearchHomestays).toMatchObject({
      AWS_ENDPOINT_URL_SQS: url('sqs'),
      AWS_ENDPOINT_URL_APPCONFIGDATA: url('appconfigdata'),
    });
    expect(variables.RecordSearchClick.AWS_ENDPOINT_URL_SQS).toBeUndefined();
  });

  it('calls through interface endpoints without IPv6 where the context wants that', () => {
    const paid = synthesize('prod', { searchEgress: 'endpoints' });
    const network = paid.template('SearchIndex');
    expect(JSON.stringify(network.toJSON())).not.toMatch(/EgressOnly|Ipv6CidrBlock|NatGateway/);
    const services = Object.values(network.findResources('AWS::EC2::VPCEndpoint'))
      .filter(({ Properties }) => Properties.VpcEndpointType === 'Interface')
      .map(({ Properties }) => {
        expect(Properties.PrivateDnsEnabled).toBe(true);
        return JSON.stringify(Properties.ServiceName);
      });
    expect(services.map((it) => /\.(sqs|appconfigdata)"/.exec(it)?.[1]).sort()).toEqual([
      'appconfigdata',
      'sqs',
    ]);
    network.hasResourceProperties('AWS::EC2::SecurityGroupIngress', {
      FromPort: 443,
      SourceSecurityGroupId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^EmbeddedFunctions'), 'GroupId'] },
    });
    expect(those(paid, (it) => JSON.stringify(it).includes('AWS_ENDPOINT_URL'))).toEqual([]);
    expect(those(paid, (it) => it.VpcConfig?.Ipv6AllowedForDualStack === true)).toEqual([]);
  });

  it('notes what its network refuses', () => {
    place.hasResourceProperties('AWS::EC2::FlowLog', { ResourceType: 'VPC', TrafficType: 'REJECT' });
  });
});

describe('the index on a domain', () => {
  const onDomain = synthesize('prod', { search: 'domain' });
  const domain = onDomain.template('SearchIndex');

  it('is encrypted on disk, between nodes and on the way, and answers roles of this account alone', () => {
    domain.hasResource(DOMAIN, {
      DeletionPolicy: 'Retain',
      Properties: {
        EncryptionAtRestOptions: { Enabled: true },
        NodeToNodeEncryptionOptions: { Enabled: true },
        DomainEndpointOptions: { EnforceHTTPS: true, TLSSecurityPolicy: Match.stringLikeRegexp('TLS-1-2') },
        AccessPolicies: {
          Statement: [
            {
              Effect: 'Allow',
              Action: 'es:ESHttp*',
              Principal: { AWS: { 'Fn::Join': ['', Match.arrayWith([':root'])] } },
              Resource: Match.anyValue(),
            },
          ],
        },
      },
    });
  });

  it('is in two zones where it counts, and on one small node elsewhere', () => {
    domain.hasResourceProperties(DOMAIN, {
      ClusterConfig: Match.objectLike({ InstanceCount: 2, ZoneAwarenessEnabled: true }),
    });
    synthesize('dev', { search: 'domain' })
      .template('SearchIndex')
      .hasResourceProperties(DOMAIN, {
        ClusterConfig: Match.objectLike({ InstanceCount: 1, InstanceType: 't3.small.search' }),
      });
  });

  it('is called by functions outside of any network, without files', () => {
    expect(those(onDomain, (it) => it.VpcConfig !== undefined || it.FileSystemConfigs !== undefined)).toEqual(
      [],
    );
    expect(JSON.stringify(domain.toJSON())).not.toMatch(/AWS::(EC2|EFS)/);
    expect(those(onDomain, (it) => JSON.stringify(it).includes('AWS_ENDPOINT_URL'))).toEqual([]);
  });

  it.each([
    ['SearchHomestays', ['es:ESHttpGet', 'es:ESHttpPost'], ['/_search', '/homestays*']],
    [
      'IndexHomestay',
      ['es:ESHttpDelete', 'es:ESHttpGet', 'es:ESHttpPost', 'es:ESHttpPut'],
      ['/_aliases', '/_bulk', '/_search', '/homestays*'],
    ],
  ])('lets %s call the paths of the index, and no other', (name, actions, paths) => {
    const [statement, ...others] = statementsOf(onDomain.template('Search'), name).filter(({ Action }) =>
      JSON.stringify(Action).includes('es:'),
    );
    expect(others).toEqual([]);
    expect(statement?.Action).toEqual(actions);
    const found = [statement?.Resource].flat().map((it) => it['Fn::Join'][1].at(-1));
    expect(found.sort()).toEqual(paths);
  });

  it('logs what is slow and what fails', () => {
    domain.hasResourceProperties(DOMAIN, {
      LogPublishingOptions: Object.fromEntries(
        ['ES_APPLICATION_LOGS', 'INDEX_SLOW_LOGS', 'SEARCH_SLOW_LOGS'].map((log) => [
          log,
          Match.objectLike({ Enabled: true }),
        ]),
      ),
    });
  });

  it('is prepared while it is deployed, which waits for packages', () => {
    const withPackages = synthesize('prod', { search: 'domain', searchPackages: 'analysis-pinyin' });
    withPackages.template('SearchIndex').hasResourceProperties('Custom::PreparedSearchIndex', {
      domainArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^SearchDomain'), 'Arn'] },
      packages: ['analysis-pinyin'],
    });
    domain.resourceCountIs('AWS::StepFunctions::StateMachine', 1);
    place.resourceCountIs('AWS::StepFunctions::StateMachine', 0);
    place.hasResourceProperties('Custom::PreparedSearchIndex', { index: 'file:/mnt/search' });
  });

  it('may be one that is there already', () => {
    const arn = 'arn:aws:es:eu-west-1:111122223333:domain/stays';
    const context = { search: 'domain', searchDomainEndpoint: 'https://s.example.com', searchDomainArn: arn };
    const existing = synthesize('prod', context);
    existing.template('SearchIndex').resourceCountIs(DOMAIN, 0);
    const statements = JSON.stringify(statementsOf(existing.template('Search'), 'SearchHomestays'));
    expect(statements).toContain(`"${arn}/homestays*"`);
    expect(
      those(existing, (it) => it.Environment.Variables.SEARCH_INDEX === 'https://s.example.com'),
    ).toEqual(INDEXED);
  });
});

describe('the index on this machine', () => {
  const local = synthesize('local', { searchIndexFolder: '/tmp/index' });

  it('is a folder, without a network, files, a domain or a custom resource', () => {
    expect(those(local, (it) => it.Environment.Variables.SEARCH_INDEX === 'file:/tmp/index')).toEqual(
      INDEXED,
    );
    const types = Object.values(
      local.template('SearchIndex').toJSON().Resources as Record<string, { Type: string }>,
    );
    expect([...new Set(types.map(({ Type }) => Type))].sort()).toEqual([
      'AWS::IAM::Policy',
      'AWS::IAM::Role',
      FUNCTION,
      'AWS::Logs::LogGroup',
    ]);
  });

  it('is where the environment of the local AWS says, unless the template does: several share the template', () => {
    const shared = synthesize('local');
    expect(those(shared, (it) => 'SEARCH_INDEX' in it.Environment.Variables)).toEqual([]);
    expect(shared.template('SearchIndex').findOutputs('SearchIndexLocation')).toEqual({});
  });

  it('is prepared by whoever deploys it, who is told the function', () => {
    local.template('SearchIndex').hasOutput('PrepareSearchDomainFunctionName', {});
  });
});

describe('the search rules', () => {
  const config = embedded.template('Config');
  const errorsOf = (document: unknown) => new Validator().validate(document, RULES_SCHEMA).errors;

  it('begin with what their schema wants, and block nothing', () => {
    expect(errorsOf(FIRST_SEARCH_RULES)).toEqual([]);
    expect(FIRST_SEARCH_RULES.blocked).toEqual([]);
    config.hasResourceProperties('AWS::AppConfig::HostedConfigurationVersion', {
      Content: JSON.stringify(FIRST_SEARCH_RULES),
    });
  });

  // The same documents as `domain-homestay` tries on its parser.
  it.each([...RULES.accepted, ...RULES.refusedByParser].map((it) => [it]))('may be %j', (document) => {
    expect(errorsOf(document)).toEqual([]);
  });

  it.each([...RULES.refused, ...RULES.refusedBySchema].map((it) => [it]))(
    'are refused when they are %j',
    (document) => {
      expect(errorsOf(document)).not.toEqual([]);
    },
  );

  it('go back when search-homestays cannot read them', () => {
    config.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ConfigRefreshFailed',
      Dimensions: Match.arrayWith([{ Name: 'service', Value: 'search-homestays' }]),
    });
    config.hasOutput('SearchRulesLocation', {});
  });
});

// biome-ignore lint/suspicious/noExplicitAny: as CloudFormation spells it.
function statementsOf(template: Template, name: string): any[] {
  return Object.entries(template.findResources('AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(`${name}Role`))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement);
}

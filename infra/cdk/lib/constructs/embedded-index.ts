import { Aws, CfnMapping, RemovalPolicy, type Stack } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpProtocol,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import {
  type AccessPoint,
  type CfnFileSystem,
  FileSystem,
  LifecyclePolicy,
  OutOfInfrequentAccessPolicy,
  PerformanceMode,
  ThroughputMode,
} from 'aws-cdk-lib/aws-efs';
import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { StageConfig, WayOut } from '../config.ts';
import type { FunctionNetwork } from './rust-function.ts';
import type { Called, SearchIndex } from './search-index.ts';

/** Where the functions see the file system; Lambda wants it below /mnt. */
const MOUNT_PATH = '/mnt/search';

/** Who owns the files, whichever function writes them: nobody whom the runtime knows. */
const OWNER = { uid: '1001', gid: '1001' };

/** Two, so that an outage of one zone ends neither searching nor indexing. */
const ZONES = 2;

/** Endpoints that speak IPv6, by partition: https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html */
const DUAL_STACK_SUFFIXES = {
  aws: { suffix: 'api.aws' },
  'aws-cn': { suffix: 'api.amazonwebservices.com.cn' },
  'aws-us-gov': { suffix: 'api.aws' },
};

/** As in `sqs.eu-west-1.api.aws`. */
const HOSTS: Record<Called, string> = { SQS: 'sqs', APPCONFIGDATA: 'appconfigdata' };

/** What else functions call from there: each costs by the hour and zone. */
const ENDPOINTS = {
  Sqs: InterfaceVpcEndpointAwsService.SQS,
  AppConfigData: InterfaceVpcEndpointAwsService.APPCONFIGDATA,
};

/**
 * The index on a file system that the functions share, in a network of its own, in which nothing costs by the hour unless the
 * context wants it. DynamoDB and S3 are reached through gateway endpoints, all else over IPv6 through an egress-only gateway,
 * which lets nobody in; or through interface endpoints. See docs/decisions/0017-where-the-index-is.md.
 */
export class EmbeddedIndex extends Construct implements SearchIndex {
  readonly environment = { SEARCH_INDEX: `file:${MOUNT_PATH}` };
  readonly network: FunctionNetwork;

  private readonly files: FileSystem;
  private readonly accessPoint: AccessPoint;

  constructor(scope: Construct, id: string, config: StageConfig, wayOut: WayOut) {
    super(scope, id);
    const removalPolicy = config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    const ipv6 = wayOut === 'ipv6';
    const subnetType = ipv6 ? SubnetType.PRIVATE_WITH_EGRESS : SubnetType.PRIVATE_ISOLATED;
    const vpc = new Vpc(this, 'Network', {
      ipProtocol: ipv6 ? IpProtocol.DUAL_STACK : IpProtocol.IPV4_ONLY,
      maxAzs: ZONES,
      natGateways: 0,
      createInternetGateway: false,
      subnetConfiguration: [{ name: 'Functions', subnetType, cidrMask: 20 }],
      // Nobody is in it, and to close it would take a function.
      restrictDefaultSecurityGroup: false,
      gatewayEndpoints: {
        DynamoDb: { service: GatewayVpcEndpointAwsService.DYNAMODB },
        S3: { service: GatewayVpcEndpointAwsService.S3 },
      },
      flowLogs: {
        Refused: {
          destination: FlowLogDestination.toCloudWatchLogs(
            new LogGroup(this, 'Refused', { retention: config.logRetentionDays, removalPolicy }),
          ),
          // What is let through is what the functions do, and they log that themselves.
          trafficType: FlowLogTrafficType.REJECT,
        },
      },
    });
    const subnets = { subnetType };
    const ofFunctions = new SecurityGroup(this, 'Functions', {
      vpc,
      description: 'Functions that hold the index of homestays',
      allowAllOutbound: false,
    });
    const ofFiles = new SecurityGroup(this, 'Files', {
      vpc,
      description: 'The files of the index of homestays',
      allowAllOutbound: false,
    });
    ofFunctions.addEgressRule(ofFiles, Port.NFS, 'The files of the index');
    ofFiles.addIngressRule(ofFunctions, Port.NFS, 'Functions that hold the index');
    // No route leads to any address of IPv4 but to those of the gateway endpoints.
    ofFunctions.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'DynamoDB and S3, through gateway endpoints');
    if (ipv6) ofFunctions.addEgressRule(Peer.anyIpv6(), Port.HTTPS, 'SQS and AppConfig');
    else addEndpoints(vpc, ofFunctions);

    this.files = new FileSystem(this, 'FileSystem', {
      vpc,
      vpcSubnets: subnets,
      securityGroup: ofFiles,
      encrypted: true,
      performanceMode: PerformanceMode.GENERAL_PURPOSE,
      // Paid by the gigabyte that is read and written, so that an idle one costs nothing.
      throughputMode: ThroughputMode.ELASTIC,
      lifecyclePolicy: LifecyclePolicy.AFTER_30_DAYS,
      outOfInfrequentAccessPolicy: OutOfInfrequentAccessPolicy.AFTER_1_ACCESS,
      enableAutomaticBackups: true,
      removalPolicy,
    });
    onlyByTlsAndRole(this.files);
    this.accessPoint = this.files.addAccessPoint('AccessPoint', {
      path: '/search',
      createAcl: { ownerUid: OWNER.uid, ownerGid: OWNER.gid, permissions: '750' },
      posixUser: OWNER,
    });
    this.network = {
      vpc,
      subnets,
      securityGroup: ofFunctions,
      ipv6,
      mount: {
        path: MOUNT_PATH,
        accessPointArn: this.accessPoint.accessPointArn,
        ready: this.files.mountTargetsAvailable,
      },
    };
  }

  /** Over IPv6; the SDK would ask for the endpoint that speaks IPv4 alone. Interface endpoints take its place by DNS. */
  waysTo(stack: Stack, ...services: Called[]): Record<string, string> {
    if (!this.network.ipv6) return {};
    const suffix = dualStackSuffix(stack);
    return Object.fromEntries(
      services.map((service) => [
        `AWS_ENDPOINT_URL_${service}`,
        `https://${HOSTS[service]}.${Aws.REGION}.${suffix}`,
      ]),
    );
  }

  /** Whoever may not write has it mounted read-only. */
  allowReading(): PolicyStatement[] {
    return [this.allow('elasticfilesystem:ClientMount')];
  }

  allowWriting(): PolicyStatement[] {
    return [this.allow('elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite')];
  }

  acknowledge(): void {}

  /** By the access point alone: it is what confines them to the folder, and to its owner's rights. */
  private allow(...actions: string[]): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions,
      resources: [this.files.fileSystemArn],
      conditions: {
        StringEquals: { 'elasticfilesystem:AccessPointArn': this.accessPoint.accessPointArn },
      },
    });
  }
}

function addEndpoints(vpc: Vpc, ofFunctions: SecurityGroup): void {
  const ofEndpoints = new SecurityGroup(vpc, 'Endpoints', {
    vpc,
    description: 'What functions that hold the index call',
    allowAllOutbound: false,
  });
  ofEndpoints.addIngressRule(ofFunctions, Port.HTTPS, 'Functions that hold the index');
  for (const [name, service] of Object.entries(ENDPOINTS)) {
    vpc.addInterfaceEndpoint(name, { service, securityGroups: [ofEndpoints], open: false });
  }
}

/** What a role allows is enough; what comes without a role, or in the clear, gets nothing. */
function onlyByTlsAndRole(files: FileSystem): void {
  // Instead of the policy of the L2 construct, by which who may mount may also write, as root.
  (files.node.defaultChild as CfnFileSystem).fileSystemPolicy = new PolicyDocument({
    statements: [
      new PolicyStatement({
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [
          'elasticfilesystem:ClientMount',
          'elasticfilesystem:ClientWrite',
          'elasticfilesystem:ClientRootAccess',
        ],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    ],
  });
}

function dualStackSuffix(stack: Stack): string {
  const id = 'DualStackEndpoints';
  const found = stack.node.tryFindChild(id) as CfnMapping | undefined;
  return (found ?? new CfnMapping(stack, id, { mapping: DUAL_STACK_SUFFIXES })).findInMap(
    Aws.PARTITION,
    'suffix',
  );
}

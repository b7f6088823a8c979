import { existsSync } from 'node:fs';
import path from 'node:path';
import { Annotations, CfnOutput, type Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  type CfnFunction,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct, IDependable } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { FunctionName } from '../functions.ts';

/** The namespace of every metric the functions write. */
export const METRICS_NAMESPACE = 'Flashsale';

const PLACEHOLDER = path.resolve(import.meta.dirname, '../placeholder');

/** A network of ours, for what is reached in no other way; functions are outside of any otherwise. */
export interface FunctionNetwork {
  readonly vpc: IVpc;
  readonly subnets: SubnetSelection;
  readonly securityGroup: ISecurityGroup;
  /** Whether IPv6 leads out of it. */
  readonly ipv6: boolean;
  /** A file system that the function sees as a folder. */
  readonly mount: {
    readonly path: string;
    readonly accessPointArn: string;
    /** It can be reached from each subnet. */
    readonly ready: IDependable;
  };
}

/** What Lambda does in the function's name to connect it to a network; EC2 restricts it to none. */
const CONNECTING = [
  'ec2:CreateNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:DeleteNetworkInterface',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

export interface RustFunctionProps {
  readonly config: StageConfig;
  readonly name: FunctionName;
  readonly description: string;
  readonly memorySize: number;
  readonly timeout: Duration;
  /** An alarm fires when the 99th percentile of the duration stays above. */
  readonly p99Goal: Duration;
  /** All that the function may do, beside writing its own logs and traces. */
  readonly permissions: readonly PolicyStatement[];
  /** Wins over the variables that every function gets. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly network?: FunctionNetwork;
  /** Where an asynchronous event goes that failed for good; its depth is watched. */
  readonly deadLetterQueue?: IQueue;
  /** How often Lambda repeats an asynchronous event that failed; twice unless told otherwise. */
  readonly retryAttempts?: number;
  /** How long an asynchronous event may wait to be handled; six hours unless told otherwise. */
  readonly maxEventAge?: Duration;
}

/** The one way to define a function: a Rust binary on the bare OS runtime, traced, logged, least privileged. */
export class RustFunction extends LambdaFunction {
  readonly name: FunctionName;
  readonly p99Goal: Duration;

  constructor(scope: Construct, id: string, props: RustFunctionProps) {
    const { config, name, network } = props;
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: config.logRetentionDays,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    const role = new Role(scope, `${id}Role`, { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const bundle = path.join(config.bundles, name);
    const isBuilt = existsSync(path.join(bundle, 'bootstrap'));

    super(scope, id, {
      description: props.description,
      runtime: Runtime.PROVIDED_AL2023,
      architecture: config.architecture === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      handler: 'bootstrap',
      code: Code.fromAsset(isBuilt ? bundle : PLACEHOLDER, { exclude: ['*', '!bootstrap'] }),
      memorySize: props.memorySize,
      timeout: props.timeout,
      reservedConcurrentExecutions: config.reservedConcurrency[name],
      role,
      tracing: Tracing.ACTIVE,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      // START and REPORT of every invocation would be most of a sale's log bill; traces hold the same figures.
      systemLogLevelV2: config.stage === 'prod' ? SystemLogLevel.WARN : SystemLogLevel.INFO,
      environment: {
        STAGE: config.stage,
        RUST_LOG: 'info',
        METRICS_NAMESPACE,
        ...props.environment,
      },
      ...(network && {
        vpc: network.vpc,
        vpcSubnets: network.subnets,
        securityGroups: [network.securityGroup],
        ipv6AllowedForDualStack: network.ipv6,
      }),
      deadLetterQueue: props.deadLetterQueue,
      retryAttempts: props.retryAttempts,
      maxEventAge: props.maxEventAge,
    });
    this.name = name;
    this.p99Goal = props.p99Goal;

    // Instead of the managed policy for logs, which allows writing to every log group.
    logGroup.grantWrite(role);
    for (const statement of props.permissions) this.addToRolePolicy(statement);
    if (network) this.mount(network);

    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'Active tracing needs xray:Put*, which knows no resources. Of the rest, a test allows it only for text messages, ' +
        'for connecting a function to a network, and for looking up packages of OpenSearch.',
    });
    if (!isBuilt) {
      Annotations.of(this).addWarningV2(
        'flashsale:binary-missing',
        `no ${path.join(name, 'bootstrap')} in the bundle directory: a placeholder that always fails is used. ` +
          'Build the functions, or give their directory with -c bundles=DIR.',
      );
    }
  }

  /** The L2 construct would allow mounting every file system that has the access point. */
  private mount({ mount: { path, accessPointArn, ready } }: FunctionNetwork): void {
    (this.node.defaultChild as CfnFunction).fileSystemConfigs = [
      { arn: accessPointArn, localMountPath: path },
    ];
    this.node.addDependency(ready);
    this.addToRolePolicy(
      new PolicyStatement({ effect: Effect.ALLOW, actions: CONNECTING, resources: ['*'] }),
    );
  }
}

/** Gives the reason why a function may do something to all of what begins like `arn`, which ends in a wildcard. */
export function acknowledgeWildcard(fn: RustFunction, arn: string, reason: string): void {
  Validations.of(fn.role as Role).acknowledge({
    id: `AwsSolutions-IAM5[Resource::${flatten(fn.stack.resolve(arn))}]`,
    reason,
  });
}

/** An ARN that is joined of text and references, as the rules of cdk-nag write it. */
export function flatten(
  arn:
    | string
    | { Ref: string }
    | { 'Fn::GetAtt': string[] }
    | { 'Fn::ImportValue': string }
    | { 'Fn::Join': [string, Parameters<typeof flatten>[0][]] },
): string {
  if (typeof arn === 'string') return arn;
  if ('Ref' in arn) return `<${arn.Ref}>`;
  if ('Fn::GetAtt' in arn) return `<${arn['Fn::GetAtt'].join('.')}>`;
  if ('Fn::ImportValue' in arn) return arn['Fn::ImportValue'];
  const [delimiter, parts] = arn['Fn::Join'];
  return parts.map(flatten).join(delimiter);
}

/** Tells tools what CloudFormation called the functions, and where they log. */
export function outputNames(functions: readonly RustFunction[]): void {
  for (const fn of functions) {
    new CfnOutput(fn.stack, `${fn.node.id}FunctionName`, { value: fn.functionName });
    new CfnOutput(fn.stack, `${fn.node.id}LogGroup`, { value: fn.logGroup.logGroupName });
  }
}

/**
 * Deploys a synthesized assembly to the local AWS:
 *   node --import tsx local/deploy.ts --endpoint http://127.0.0.1:4566 --assembly cdk.out-local --outputs FILE
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { type Assembly, readAssembly, type StackArtifact } from './assembly.ts';
import { uploadAssets } from './assets.ts';
import { closeGaps, type GapClients } from './gaps.ts';
import { deployStack, type Outputs, StackFailed } from './stacks.ts';

/** The account to which the local AWS counts every key that is not an account number itself. */
const ACCOUNT = '000000000000';
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

const startedAt = Date.now();

try {
  await main();
} catch (error) {
  fail(error);
}

async function main(): Promise<void> {
  // The SDK's plans for versions of Node concern who maintains this, not who runs it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const { endpoint, assembly: directory, outputs: outputsFile, region } = readArguments();
  const assembly = await readAssembly(directory, { account: ACCOUNT, region });
  const common = { endpoint, region, credentials: CREDENTIALS, maxAttempts: 2 };
  const s3 = new S3Client({ ...common, forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' });
  const clients: GapClients = {
    cloudFormation: new CloudFormationClient(common),
    dynamoDb: new DynamoDBClient(common),
    apiGateway: new ApiGatewayV2Client(common),
    sns: new SNSClient(common),
  };

  await uploadAssets(s3, assembly.assets, report);
  const outputs = await deployAll(clients, endpoint, assembly);
  await writeFile(outputsFile, `${JSON.stringify(outputs, null, 2)}\n`);
  report(`deployed; outputs in ${outputsFile}`);
}

/** Each stack as soon as those it depends on are there. */
async function deployAll(
  clients: GapClients,
  endpoint: string,
  { stacks }: Assembly,
): Promise<Record<string, Outputs>> {
  const running = new Map<string, Promise<Outputs>>();
  const byName = new Map(stacks.map((stack) => [stack.name, stack]));

  const start = (stack: StackArtifact): Promise<Outputs> => {
    const started = running.get(stack.name) ?? deployAfterDependencies(stack);
    running.set(stack.name, started);
    return started;
  };
  const deployAfterDependencies = async (stack: StackArtifact): Promise<Outputs> => {
    await Promise.all(stack.dependencies.map((name) => byName.get(name)).map((it) => it && start(it)));
    const { change, outputs } = await deployStack(clients.cloudFormation, endpoint, stack);
    await closeGaps(clients, stack);
    report(`${stack.name}: ${change}`);
    return outputs;
  };

  const deployed = await Promise.all(stacks.map(async (stack) => [stack.name, await start(stack)] as const));
  return Object.fromEntries(deployed);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      endpoint: { type: 'string' },
      assembly: { type: 'string' },
      outputs: { type: 'string' },
      region: { type: 'string', default: 'us-east-1' },
    },
  });
  const { endpoint, assembly, outputs, region } = values;
  if (!endpoint || !assembly || !outputs) {
    throw new Error('usage: deploy.ts --endpoint URL --assembly DIRECTORY --outputs FILE [--region REGION]');
  }
  if (!isLoopback(endpoint)) {
    throw new Error(`--endpoint must be on this machine, like http://127.0.0.1:4566; it is ${endpoint}`);
  }
  return { endpoint, assembly, outputs, region };
}

function isLoopback(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { hostname, protocol } = new URL(endpoint);
  const isHttp = protocol === 'http:' || protocol === 'https:';
  return isHttp && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname));
}

function report(line: string): void {
  console.log(`[${((Date.now() - startedAt) / 1000).toFixed(1)} s] ${line}`);
}

function fail(error: unknown): never {
  if (error instanceof StackFailed) {
    console.error(`${error.message}:`);
    for (const line of error.reasons) console.error(`  ${line}`);
    console.error(
      'Mend it in lib/, synthesize and deploy again: a stack that failed is repaired or made anew.',
    );
    console.error('What the local AWS cannot make is left out of the stage `local`.');
  } else if (codeOf(error) === 'ECONNREFUSED') {
    console.error('Nothing answers at the endpoint: start the local AWS first.');
  } else if (codeOf(error) === 'ENOENT') {
    console.error(`${messageOf(error)}: synthesize first (cdk synth -c stage=local -o DIRECTORY).`);
  } else {
    console.error(messageOf(error));
  }
  process.exit(1);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

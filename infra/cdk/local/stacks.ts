import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import type { StackArtifact } from './assembly.ts';

const POLL_INTERVAL_MS = 100;
/** A local stack is there in a second or two; past this, something hangs. */
const STACK_DEADLINE_MS = 120_000;

const BEYOND_REPAIR = ['ROLLBACK_COMPLETE', 'ROLLBACK_FAILED', 'CREATE_FAILED', 'DELETE_FAILED'];

export type Outputs = Record<string, string>;
export type Change = 'created' | 'updated' | 'unchanged';

export class StackFailed extends Error {
  constructor(
    stack: string,
    status: string,
    /** One line for each thing that failed, with its reason. */
    readonly reasons: readonly string[],
  ) {
    super(`${stack} ended in ${status}`);
  }
}

/** Brings one stack to what its template says, which has been uploaded to `endpoint`. */
export async function deployStack(
  cloudFormation: CloudFormationClient,
  endpoint: string,
  { name, templateLocation: { bucket, key } }: StackArtifact,
): Promise<{ change: Change; outputs: Outputs }> {
  const request = {
    StackName: name,
    TemplateURL: `${endpoint}/${bucket}/${key}`,
    Capabilities: ['CAPABILITY_IAM' as const, 'CAPABILITY_NAMED_IAM' as const],
  };
  const before = await usable(cloudFormation, name);
  if (before === undefined) {
    await cloudFormation.send(new CreateStackCommand(request)).catch((error) => refused(name, error));
    return { change: 'created', outputs: outputs(await settled(cloudFormation, name)) };
  }
  try {
    await cloudFormation.send(new UpdateStackCommand(request));
  } catch (error) {
    if (!isNothingToUpdate(error)) refused(name, error);
    return { change: 'unchanged', outputs: outputs(before) };
  }
  return { change: 'updated', outputs: outputs(await settled(cloudFormation, name)) };
}

/** The stack if it can be updated. One whose creation failed can only be deleted. */
async function usable(cloudFormation: CloudFormationClient, name: string): Promise<Stack | undefined> {
  const stack = await describe(cloudFormation, name);
  if (stack === undefined) return undefined;
  if (!BEYOND_REPAIR.includes(stack.StackStatus ?? '')) return stack;
  await cloudFormation.send(new DeleteStackCommand({ StackName: name }));
  await untilDone(cloudFormation, name);
  return undefined;
}

async function settled(cloudFormation: CloudFormationClient, name: string): Promise<Stack> {
  const stack = await untilDone(cloudFormation, name);
  if (stack?.StackStatus === 'CREATE_COMPLETE' || stack?.StackStatus === 'UPDATE_COMPLETE') return stack;
  throw new StackFailed(name, stack?.StackStatus ?? 'nothing', await failures(cloudFormation, name));
}

async function untilDone(cloudFormation: CloudFormationClient, name: string): Promise<Stack | undefined> {
  const deadline = Date.now() + STACK_DEADLINE_MS;
  while (Date.now() < deadline) {
    const stack = await describe(cloudFormation, name);
    if (!stack?.StackStatus?.endsWith('_IN_PROGRESS')) return stack;
    await sleep(POLL_INTERVAL_MS);
  }
  throw new StackFailed(
    name,
    `no end after ${STACK_DEADLINE_MS / 1000} s`,
    await failures(cloudFormation, name),
  );
}

async function describe(cloudFormation: CloudFormationClient, name: string): Promise<Stack | undefined> {
  try {
    const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
    return Stacks.find((stack) => stack.StackStatus !== 'DELETE_COMPLETE');
  } catch (error) {
    if (isValidationError(error, 'does not exist')) return undefined;
    throw error;
  }
}

/** Of the last operation; the events come newest first and reach back to the stack's creation. */
async function failures(cloudFormation: CloudFormationClient, name: string): Promise<string[]> {
  const { StackEvents = [] } = await cloudFormation.send(new DescribeStackEventsCommand({ StackName: name }));
  const start = StackEvents.findIndex(
    ({ LogicalResourceId, ResourceStatus = '' }) =>
      LogicalResourceId === name && /^(CREATE|UPDATE)_IN_PROGRESS$/.test(ResourceStatus),
  );
  return StackEvents.slice(0, start === -1 ? undefined : start)
    .filter((event) => event.ResourceStatus?.endsWith('_FAILED'))
    .map(
      ({ LogicalResourceId, ResourceType, ResourceStatusReason = 'no reason given' }) =>
        `${LogicalResourceId} (${ResourceType}): ${ResourceStatusReason}`,
    )
    .reverse();
}

function refused(name: string, error: unknown): never {
  if (!isValidationError(error)) throw error;
  throw new StackFailed(name, 'a refusal', [error.message]);
}

function outputs(stack: Stack): Outputs {
  return Object.fromEntries(
    (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  );
}

function isNothingToUpdate(error: unknown): boolean {
  return isValidationError(error, 'No updates are to be performed');
}

function isValidationError(error: unknown, text = ''): error is Error {
  return error instanceof Error && error.name === 'ValidationError' && error.message.includes(text);
}

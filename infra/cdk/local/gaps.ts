import { type ApiGatewayV2Client, UpdateApiCommand } from '@aws-sdk/client-apigatewayv2';
import { type CloudFormationClient, DescribeStackResourceCommand } from '@aws-sdk/client-cloudformation';
import {
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { CreatePlatformApplicationCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { StackArtifact } from './assembly.ts';

export interface GapClients {
  readonly cloudFormation: CloudFormationClient;
  readonly dynamoDb: DynamoDBClient;
  readonly apiGateway: ApiGatewayV2Client;
  readonly sns: SNSClient;
}

/** Sets through the services' own APIs what the local CloudFormation ignores in a template, or knows no resource for. */
export async function closeGaps(clients: GapClients, stack: StackArtifact): Promise<void> {
  for (const [logicalId, { Type, Properties }] of Object.entries(stack.template.Resources)) {
    const physicalId = () => findPhysicalId(clients.cloudFormation, stack.name, logicalId);
    if (Type.startsWith('AWS::DynamoDB::') && Properties?.TimeToLiveSpecification) {
      await enableTimeToLive(
        clients.dynamoDb,
        await physicalId(),
        Properties.TimeToLiveSpecification.AttributeName,
      );
    }
    if (Type === 'AWS::ApiGatewayV2::Api' && Properties?.CorsConfiguration) {
      await setCors(clients.apiGateway, await physicalId(), Properties.CorsConfiguration);
    }
    if (Type === 'AWS::Lambda::Function') {
      for (const arn of platformApplicationsIn(Properties?.Environment?.Variables ?? {})) {
        await createPlatformApplication(clients.sns, arn);
      }
    }
  }
}

async function enableTimeToLive(dynamoDb: DynamoDBClient, table: string, attribute: string): Promise<void> {
  const { TimeToLiveDescription: current } = await dynamoDb.send(
    new DescribeTimeToLiveCommand({ TableName: table }),
  );
  if (current?.TimeToLiveStatus === 'ENABLED' && current.AttributeName === attribute) return;
  await dynamoDb.send(
    new UpdateTimeToLiveCommand({
      TableName: table,
      TimeToLiveSpecification: { Enabled: true, AttributeName: attribute },
    }),
  );
}

/** The template's spelling is kept as it is, and not understood when a browser asks. */
async function setCors(
  apiGateway: ApiGatewayV2Client,
  apiId: string,
  cors: Record<string, unknown>,
): Promise<void> {
  await apiGateway.send(new UpdateApiCommand({ ApiId: apiId, CorsConfiguration: cors }));
}

function platformApplicationsIn(environment: Record<string, unknown>): string[] {
  return Object.values(environment).filter(
    (value): value is string => typeof value === 'string' && /^arn:aws:sns:.+:app\//.test(value),
  );
}

/** Elsewhere an operator makes them, with the keys of Apple and Google. Making one that is there changes nothing. */
async function createPlatformApplication(sns: SNSClient, arn: string): Promise<void> {
  const [Platform, Name] = arn.split('/').slice(1);
  const attributes = { PlatformCredential: 'local', PlatformPrincipal: 'local' };
  const created = await sns.send(
    new CreatePlatformApplicationCommand({ Platform, Name, Attributes: attributes }),
  );
  if (created.PlatformApplicationArn !== arn) {
    throw new Error(`the local AWS calls ${arn} ${created.PlatformApplicationArn}`);
  }
}

async function findPhysicalId(
  cloudFormation: CloudFormationClient,
  stackName: string,
  logicalId: string,
): Promise<string> {
  const { StackResourceDetail } = await cloudFormation.send(
    new DescribeStackResourceCommand({ StackName: stackName, LogicalResourceId: logicalId }),
  );
  if (!StackResourceDetail?.PhysicalResourceId) throw new Error(`${stackName} has no resource ${logicalId}`);
  return StackResourceDetail.PhysicalResourceId;
}

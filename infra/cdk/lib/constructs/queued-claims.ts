import {
  type CfnIntegration,
  type HttpRouteIntegrationBindOptions,
  ParameterMapping,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpSqsIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';

/**
 * What the queue is told. API Gateway pastes values into text and escapes nothing, so this is no JSON, where a header
 * with a quote could end one member and begin another: it is five fields with a space between them, first what we
 * vouch for and what holds no space, last what the caller wrote. Whatever that is, it changes the caller's own
 * template and key only, which the caller may choose anyway.
 */
const MESSAGE = [
  pasted('context.requestId'),
  pasted('context.requestTimeEpoch'),
  pasted('context.authorizer.claims.sub'),
  pasted('request.path.id'),
  pasted('request.header.idempotency-key'),
].join(' ');

/** Puts a claim into the queue without a function in between, and tells the guest where to look for the outcome. */
export class QueuedClaims extends HttpSqsIntegration {
  constructor(queue: IQueue) {
    super('QueuedClaims', {
      queue,
      parameterMapping: new ParameterMapping()
        .custom('QueueUrl', queue.queueUrl)
        .custom('MessageBody', MESSAGE)
        // A fair queue: the crowd at one sale does not hold up the claims at another.
        .custom('MessageGroupId', '$request.path.id'),
    });
  }

  /** The L2 construct knows no mapping of responses. */
  protected override completeBind({ scope }: HttpRouteIntegrationBindOptions): void {
    const integration = scope.node.findChild('QueuedClaims').node.defaultChild as CfnIntegration;
    integration.responseParameters = {
      200: {
        ResponseParameters: [
          { Destination: 'overwrite:statuscode', Source: '202' },
          { Destination: 'overwrite:header.Location', Source: `/v1/claims/${pasted('context.requestId')}` },
        ],
      },
    };
  }
}

/** A variable among other text: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html */
function pasted(variable: string): string {
  return `\${${variable}}`;
}

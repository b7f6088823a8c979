import { RemovalPolicy, SecretValue, Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { STUB_SECRETS } from './notification-channels-document.ts';

/**
 * The keys to the providers of notifications, a JSON object by the provider's name. Empty until an operator fills it in; a
 * deployment does not touch what is in it. Locally it has what the stand-ins know, which is no secret.
 */
export class ProviderSecrets extends Secret {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      description: 'Keys to the providers of notifications, by name: filled in by an operator',
      secretStringValue: SecretValue.unsafePlainText(
        JSON.stringify(config.stage === 'local' ? STUB_SECRETS : {}),
      ),
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'The providers make these keys, each in its own console: an operator replaces them here.',
    });
  }

  allowReading(): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['secretsmanager:GetSecretValue'],
      resources: [this.secretArn],
    });
  }
}

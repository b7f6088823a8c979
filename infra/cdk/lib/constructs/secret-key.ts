import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/** More than HMAC-SHA-256 can use: letters and digits, 5.9 bits each. */
const KEY_LENGTH = 64;

export interface SecretKeyProps {
  readonly config: StageConfig;
  readonly description: string;
  /** What would break if it changed by itself. */
  readonly whyNeverRotated: string;
}

/** A random key that no human ever sees. */
export class SecretKey extends Secret {
  constructor(scope: Construct, id: string, { config, description, whyNeverRotated }: SecretKeyProps) {
    super(scope, id, {
      description,
      generateSecretString: { passwordLength: KEY_LENGTH, excludePunctuation: true },
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(this).acknowledge({ id: 'AwsSolutions-SMG4', reason: whyNeverRotated });
  }

  allowReading(): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['secretsmanager:GetSecretValue'],
      resources: [this.secretArn],
    });
  }
}

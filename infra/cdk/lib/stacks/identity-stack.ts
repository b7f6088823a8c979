import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { GuestsAndAdmins } from '../constructs/guests-and-admins.ts';

export interface IdentityStackProps extends StackProps {
  readonly config: StageConfig;
}

/** Who may sign in. */
export class IdentityStack extends Stack {
  readonly userPool: GuestsAndAdmins;

  constructor(scope: Construct, id: string, { config, ...props }: IdentityStackProps) {
    super(scope, id, props);
    this.userPool = new GuestsAndAdmins(this, 'UserPool', config);
    new CfnOutput(this, 'UserPoolId', { value: this.userPool.userPoolId });
    new CfnOutput(this, 'UserPoolClientId', { value: this.userPool.client.userPoolClientId });
  }
}

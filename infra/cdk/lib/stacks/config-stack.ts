import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { RiskPolicy } from '../constructs/risk-policy.ts';

export interface ConfigStackProps extends StackProps {
  readonly config: StageConfig;
}

/** What operators change while the functions run. */
export class ConfigStack extends Stack {
  readonly riskPolicy: RiskPolicy;

  constructor(scope: Construct, id: string, { config, ...props }: ConfigStackProps) {
    super(scope, id, props);
    this.riskPolicy = new RiskPolicy(this, 'RiskPolicy', config);
    new CfnOutput(this, 'RiskPolicyLocation', { value: this.riskPolicy.location });
  }
}

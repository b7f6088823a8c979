import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { HotDocuments } from '../constructs/hot-document.ts';
import type { Mail } from '../constructs/mail.ts';
import { NotificationChannels } from '../constructs/notification-channels.ts';
import { RiskPolicy } from '../constructs/risk-policy.ts';
import { SearchRules } from '../constructs/search-rules.ts';

export interface ConfigStackProps extends StackProps {
  readonly config: StageConfig;
  readonly mail?: Mail;
}

/** What operators change while the functions run. */
export class ConfigStack extends Stack {
  readonly riskPolicy: RiskPolicy;
  readonly notificationChannels: NotificationChannels;
  readonly searchRules: SearchRules;

  constructor(scope: Construct, id: string, { config, mail, ...props }: ConfigStackProps) {
    super(scope, id, props);
    const documents = new HotDocuments(this, 'Documents', config);
    this.riskPolicy = new RiskPolicy(this, 'RiskPolicy', documents);
    this.notificationChannels = new NotificationChannels(this, 'NotificationChannels', documents, {
      config,
      mail,
    });
    this.searchRules = new SearchRules(this, 'SearchRules', documents);
    new CfnOutput(this, 'RiskPolicyLocation', { value: this.riskPolicy.location });
    new CfnOutput(this, 'NotificationChannelsLocation', { value: this.notificationChannels.location });
    new CfnOutput(this, 'SearchRulesLocation', { value: this.searchRules.location });
  }
}

import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import { SearchPage } from '../constructs/search-page.ts';

export interface WebStackProps extends StackProps {
  readonly config: StageConfig;
  /** Where the API answers, with a slash at the end. */
  readonly apiUrl: string;
}

/** What guests see in a browser. */
export class WebStack extends Stack {
  constructor(scope: Construct, id: string, { config, apiUrl, ...props }: WebStackProps) {
    super(scope, id, props);
    const page = new SearchPage(this, 'SearchPage', { config, apiUrl });
    new CfnOutput(this, 'WebUrl', { value: page.url });
    if (config.webDomain) {
      new CfnOutput(this, 'WebDomainTarget', {
        description: 'Point a DNS alias for the custom domain here',
        value: page.distribution.distributionDomainName,
      });
    }
  }
}

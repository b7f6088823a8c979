import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { FIRST_RISK_POLICY } from '../lib/constructs/risk-policy-document.ts';
import { synthesize } from './synthesize.ts';

const prod = synthesize('prod').template('Config');

describe('the risk policy', () => {
  it('is checked before it is deployed', () => {
    prod.hasResourceProperties('AWS::AppConfig::ConfigurationProfile', {
      LocationUri: 'hosted',
      Validators: [{ Type: 'JSON_SCHEMA', Content: Match.stringLikeRegexp('draft-04') }],
    });
  });

  it('turns nobody away until an operator wants it', () => {
    prod.hasResourceProperties('AWS::AppConfig::HostedConfigurationVersion', {
      Content: JSON.stringify(FIRST_RISK_POLICY),
    });
    const modes = [...JSON.stringify(FIRST_RISK_POLICY).matchAll(/"mode":"(\w+)"/g)].map(([, mode]) => mode);
    expect(modes).toHaveLength(6);
    expect(modes.every((mode) => mode === 'off' || mode === 'observe')).toBe(true);
  });

  it('is found by the functions under the name they read places by', () => {
    const location = prod.findOutputs('RiskPolicyLocation').RiskPolicyLocation?.Value['Fn::Join'][1];
    expect(location[0]).toBe('appconfig:');
    expect(location.filter((part: unknown) => part === '/')).toHaveLength(2);
  });

  it('reaches the functions of prod little by little, and goes back when they cannot read it or block most', () => {
    prod.hasResourceProperties('AWS::AppConfig::DeploymentStrategy', {
      GrowthType: 'LINEAR',
      GrowthFactor: 20,
      DeploymentDurationInMinutes: 10,
      FinalBakeTimeInMinutes: 10,
    });
    const alarms = Object.entries(prod.findResources('AWS::CloudWatch::Alarm')).filter(([id]) =>
      id.startsWith('RiskPolicy'),
    );
    prod.hasResourceProperties('AWS::AppConfig::Environment', {
      Monitors: alarms.map(([id]) => ({
        AlarmArn: { 'Fn::GetAtt': [id, 'Arn'] },
        AlarmRoleArn: Match.anyValue(),
      })),
    });
    const watched = JSON.stringify(alarms);
    for (const metric of ['ConfigRefreshFailed', 'RiskDecisions']) expect(watched).toContain(metric);
  });

  it.each(['local', 'dev'] as const)('is there at once in %s, without an alarm', (stage) => {
    const config = synthesize(stage).template('Config');
    config.hasResourceProperties('AWS::AppConfig::DeploymentStrategy', {
      GrowthFactor: 100,
      DeploymentDurationInMinutes: 0,
      FinalBakeTimeInMinutes: 0,
    });
    config.hasResourceProperties('AWS::AppConfig::Environment', { Monitors: Match.absent() });
    expect(config.findResources('AWS::CloudWatch::Alarm')).toEqual({});
  });
});

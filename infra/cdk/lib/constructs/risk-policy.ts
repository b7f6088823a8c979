import { Duration, Stack, Validations } from 'aws-cdk-lib';
import {
  Application,
  ConfigurationContent,
  DeploymentStrategy,
  Environment,
  HostedConfiguration,
  JsonSchemaValidator,
  Monitor,
  RolloutStrategy,
} from 'aws-cdk-lib/aws-appconfig';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import RISK_POLICY_SCHEMA from '../../../../shared/domain/risk/policy.schema.json' with { type: 'json' };
import type { StageConfig } from '../config.ts';
import { FIRST_RISK_POLICY } from './risk-policy-document.ts';
import { METRICS_NAMESPACE } from './rust-function.ts';

const MINUTE = Duration.minutes(1);

/** For guarded stages: a mistake is noticed while four functions of five still know better. */
const GRADUAL = RolloutStrategy.linear({
  growthFactor: 20,
  deploymentDuration: Duration.minutes(10),
  finalBakeTime: Duration.minutes(10),
});
const AT_ONCE = RolloutStrategy.linear({
  growthFactor: 100,
  deploymentDuration: Duration.minutes(0),
  finalBakeTime: Duration.minutes(0),
});

/** The limits and rules against abuse, changed without a deployment of code. */
export class RiskPolicy extends Construct {
  /** `appconfig:<application>/<environment>/<profile>`, by their ids: where functions find it. */
  readonly location: string;

  private readonly arn: string;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id);
    const application = new Application(this, 'Application', {
      description: 'What operators change while the platform runs',
    });
    const environment = new Environment(this, 'Environment', {
      application,
      description: `Stage ${config.stage}`,
      monitors: config.protectData ? this.rollBackWhen(this.notUnderstood(), this.blocksMost()) : undefined,
    });
    const profile = new HostedConfiguration(this, 'Profile', {
      application,
      description: 'Limits and rules against abuse of claims and exchange codes',
      content: ConfigurationContent.fromInlineJson(JSON.stringify(FIRST_RISK_POLICY)),
      validators: [JsonSchemaValidator.fromInline(JSON.stringify(RISK_POLICY_SCHEMA))],
      deployTo: [environment],
      deploymentStrategy: new DeploymentStrategy(this, 'Rollout', {
        rolloutStrategy: config.protectData ? GRADUAL : AT_ONCE,
      }),
    });

    const ids = [application.applicationId, environment.environmentId, profile.configurationProfileId];
    this.location = `appconfig:${ids.join('/')}`;
    this.arn = Stack.of(this).formatArn({
      service: 'appconfig',
      resource: 'application',
      resourceName: `${ids[0]}/environment/${ids[1]}/configuration/${ids[2]}`,
    });
  }

  allowReading(): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['appconfig:StartConfigurationSession', 'appconfig:GetLatestConfiguration'],
      resources: [this.arn],
    });
  }

  /** The functions go on with the last one they had. */
  private notUnderstood(): Alarm {
    return new Alarm(this, 'NotUnderstood', {
      alarmDescription: 'claim-coupon cannot read the risk policy: AppConfig goes back to the one before',
      metric: ofClaims('ConfigRefreshFailed', { reason: 'invalid' }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  private blocksMost(): Alarm {
    const decided = (decision: string) => ofClaims('RiskDecisions', { decision });
    return new Alarm(this, 'BlocksMost', {
      alarmDescription:
        'The risk policy blocks most claims: while it is new, AppConfig goes back to the one before',
      metric: new MathExpression({
        expression: 'blocked / (blocked + FILL(challenged, 0) + FILL(admitted, 0))',
        usingMetrics: {
          blocked: decided('block'),
          challenged: decided('challenge'),
          admitted: decided('admit'),
        },
        label: 'share of claims blocked',
        period: MINUTE,
      }),
      threshold: 0.5,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 3,
      datapointsToAlarm: 2,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  private rollBackWhen(...alarms: Alarm[]): Monitor[] {
    const role = new Role(this, 'MonitorRole', {
      assumedBy: new ServicePrincipal('appconfig.amazonaws.com'),
      inlinePolicies: {
        ReadAlarm: new PolicyDocument({
          statements: [
            new PolicyStatement({
              effect: Effect.ALLOW,
              actions: ['cloudwatch:DescribeAlarms'],
              resources: ['*'],
            }),
          ],
        }),
      },
    });
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'AppConfig asks for the states of alarms by name, which IAM cannot restrict.',
    });
    return alarms.map((alarm) => Monitor.fromCloudWatchAlarm(alarm, role));
  }
}

/** The functions' own metrics tell how they fare with a policy: they are deployed after it, so that it cannot name them. */
function ofClaims(metricName: string, dimensions: Record<string, string>): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { service: 'claim-coupon', ...dimensions },
    statistic: Stats.SUM,
    period: MINUTE,
  });
}

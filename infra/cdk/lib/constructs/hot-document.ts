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
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';
import type { FunctionName } from '../functions.ts';
import { ownMetric } from './metrics.ts';

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

/** What all documents share: the application they belong to, and how a new version spreads. */
export class HotDocuments extends Construct {
  readonly application: Application;
  readonly rollout: DeploymentStrategy;

  constructor(
    scope: Construct,
    id: string,
    readonly config: StageConfig,
  ) {
    super(scope, id);
    this.application = new Application(this, 'Application', {
      description: 'What operators change while the platform runs',
    });
    this.rollout = new DeploymentStrategy(this, 'Rollout', {
      rolloutStrategy: config.protectData ? GRADUAL : AT_ONCE,
    });
  }
}

export interface HotDocumentProps {
  readonly documents: HotDocuments;
  readonly description: string;
  /** What a stage begins with. */
  readonly first: object;
  /** JSON Schema, draft 4: the one AppConfig knows. */
  readonly schema: object;
  /** Alarms of guarded stages on which AppConfig goes back to the version before. */
  readonly rollBackOn: (scope: Construct) => Alarm[];
}

/** A document that operators change without a deployment of code; checked before it spreads. */
export class HotDocument extends Construct {
  /** `appconfig:<application>/<environment>/<profile>`, by their ids: where functions find it. */
  readonly location: string;

  private readonly arn: string;

  constructor(scope: Construct, id: string, props: HotDocumentProps) {
    super(scope, id);
    const { application, rollout, config } = props.documents;
    // Its own: one document at a time spreads in an environment, which takes twenty minutes, and another may not wait
    // so long: https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-deploying.html
    const environment = new Environment(this, 'Environment', {
      application,
      description: `Stage ${config.stage}`,
      monitors: config.protectData ? this.monitors(props.rollBackOn(this)) : undefined,
    });
    const profile = new HostedConfiguration(this, 'Profile', {
      application,
      description: props.description,
      content: ConfigurationContent.fromInlineJson(Stack.of(this).toJsonString(props.first)),
      validators: [JsonSchemaValidator.fromInline(JSON.stringify(props.schema))],
      deployTo: [environment],
      deploymentStrategy: rollout,
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

  private monitors(alarms: Alarm[]): Monitor[] {
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

/** The functions go on with the last version they understood. */
export function notUnderstood(scope: Construct, reader: FunctionName, document: string): Alarm {
  return new Alarm(scope, 'NotUnderstood', {
    alarmDescription: `${reader} cannot read the ${document}: AppConfig goes back to the one before`,
    metric: ownMetric(reader, 'ConfigRefreshFailed', { dimensions: { reason: 'invalid' } }),
    threshold: 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
}

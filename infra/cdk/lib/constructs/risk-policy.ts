import { Alarm, ComparisonOperator, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import RISK_POLICY_SCHEMA from '../../../../shared/domain/risk/policy.schema.json' with { type: 'json' };
import { HotDocument, type HotDocuments, notUnderstood } from './hot-document.ts';
import { MINUTE, ownMetric } from './metrics.ts';
import { FIRST_RISK_POLICY } from './risk-policy-document.ts';

/** The limits and rules against abuse. */
export class RiskPolicy extends HotDocument {
  constructor(scope: Construct, id: string, documents: HotDocuments) {
    super(scope, id, {
      documents,
      description: 'Limits and rules against abuse of claims and exchange codes',
      first: FIRST_RISK_POLICY,
      schema: RISK_POLICY_SCHEMA,
      rollBackOn: (it) => [notUnderstood(it, 'claim-coupon', 'risk policy'), blocksMost(it)],
    });
  }
}

function blocksMost(scope: Construct): Alarm {
  const decided = (decision: string) =>
    ownMetric('claim-coupon', 'RiskDecisions', { dimensions: { decision } });
  return new Alarm(scope, 'BlocksMost', {
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

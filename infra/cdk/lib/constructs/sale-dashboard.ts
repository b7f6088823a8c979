import { Duration } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import {
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import { METRICS_NAMESPACE, type RustFunction } from './rust-function.ts';

const MINUTE = Duration.minutes(1);

export interface SaleDashboardProps {
  readonly api: HttpApi;
  readonly functions: readonly RustFunction[];
  readonly table: TableV2;
}

/** What one looks at while a sale runs: what guests got, how long it took, what it used. */
export class SaleDashboard extends Construct {
  constructor(scope: Construct, id: string, { api, functions, table }: SaleDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });

    dashboard.addWidgets(
      graph('Claims', [claims('ClaimsIssued', 'issued'), claims('ClaimsReplayed', 'repeated')]),
      graph('Refused, by reason (sold out and others)', [claimsRefusedByReason()]),
      graph('Conflicts of claims', [
        claims('ClaimConflicts', 'retried by the function'),
        sum(table, 'TransactionConflict'),
      ]),
    );
    dashboard.addWidgets(
      graph('API requests', [
        api.metricCount({ period: MINUTE }),
        api.metricClientError({ period: MINUTE }),
        api.metricServerError({ period: MINUTE }),
      ]),
      graph('API latency', [
        api.metricLatency({ period: MINUTE, statistic: Stats.p(50), label: 'p50' }),
        api.metricLatency({ period: MINUTE, statistic: Stats.p(99), label: 'p99' }),
      ]),
      graph(
        'Function latency, p99',
        functions.map((fn) => fn.metricDuration({ period: MINUTE, statistic: Stats.p(99), label: fn.name })),
      ),
    );
    dashboard.addWidgets(
      graph('Function errors and throttles', [
        ...functions.map((fn) => fn.metricErrors({ period: MINUTE, label: `${fn.name} errors` })),
        ...functions.map((fn) => fn.metricThrottles({ period: MINUTE, label: `${fn.name} throttles` })),
      ]),
      graph(
        'Concurrent executions',
        functions.map((fn) =>
          fn.metric('ConcurrentExecutions', { period: MINUTE, statistic: Stats.MAXIMUM, label: fn.name }),
        ),
      ),
      graph('Table: consumed units and throttles', [
        table.metricConsumedReadCapacityUnits({ period: MINUTE, statistic: Stats.SUM, label: 'read' }),
        table.metricConsumedWriteCapacityUnits({ period: MINUTE, statistic: Stats.SUM, label: 'write' }),
        sum(table, 'ReadThrottleEvents'),
        sum(table, 'WriteThrottleEvents'),
      ]),
    );
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8 });
}

function sum(table: TableV2, metricName: string): IMetric {
  return table.metric(metricName, { period: MINUTE, statistic: Stats.SUM, label: metricName });
}

function claims(metricName: string, label: string): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { service: 'claim-coupon' },
    statistic: Stats.SUM,
    period: MINUTE,
    label,
  });
}

/** Finds the reasons by itself, so that a new one appears without a deployment. */
function claimsRefusedByReason(): MathExpression {
  return new MathExpression({
    expression: `SEARCH('{${METRICS_NAMESPACE},service,reason} service="claim-coupon" MetricName="ClaimsRefused"', 'Sum', 60)`,
    usingMetrics: {},
    label: '',
    period: MINUTE,
  });
}

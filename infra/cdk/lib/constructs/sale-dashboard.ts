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
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { FunctionName } from '../functions.ts';
import type { StreamReader } from './alarms.ts';
import { METRICS_NAMESPACE, type RustFunction } from './rust-function.ts';
import type { WorkQueue } from './work-queue.ts';

const MINUTE = Duration.minutes(1);

export interface SaleDashboardProps {
  readonly api: HttpApi;
  readonly functions: readonly RustFunction[];
  readonly queues: readonly WorkQueue[];
  readonly stream: StreamReader;
  readonly table: TableV2;
}

/** What one looks at while a sale runs: what guests got, how long it took, what it used. */
export class SaleDashboard extends Construct {
  constructor(scope: Construct, id: string, { api, functions, queues, stream, table }: SaleDashboardProps) {
    super(scope, id);
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });

    dashboard.addWidgets(
      graph('Claims', [
        counted('claim-coupon', 'ClaimsIssued', 'issued'),
        counted('claim-coupon', 'ClaimsReplayed', 'repeated'),
      ]),
      graph('Refused, by reason (sold out and others)', [countedBy('reason', 'ClaimsRefused')]),
      graph('Conflicts of claims', [
        counted('claim-coupon', 'ClaimConflicts', 'retried by the function'),
        sum(table, 'TransactionConflict'),
      ]),
    );
    dashboard.addWidgets(
      graph('Queued claims', [
        counted('claim-coupon-batch', 'ClaimsIssued', 'issued'),
        counted('claim-coupon-batch', 'ClaimsReplayed', 'repeated'),
      ]),
      graph('Queued claims: milliseconds until issued', [
        metric('claim-coupon-batch', 'ClaimWaitMs', 'p50', Stats.p(50)),
        metric('claim-coupon-batch', 'ClaimWaitMs', 'p99', Stats.p(99)),
      ]),
      graph('Risk decisions', [countedBy('decision', 'RiskDecisions', 'claim-coupon')]),
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
    dashboard.addWidgets(
      graph(
        'Queues: messages waiting',
        queues.map((it) => waiting(it, it.title)),
      ),
      graph(
        'Queues: seconds the oldest message waits',
        queues.map((it) =>
          it.metricApproximateAgeOfOldestMessage({
            period: MINUTE,
            statistic: Stats.MAXIMUM,
            label: it.title,
          }),
        ),
      ),
      graph(
        'Queues: messages done',
        queues.map((it) => it.metricNumberOfMessagesDeleted({ period: MINUTE, label: it.title })),
      ),
    );
    dashboard.addWidgets(
      graph('Coupons without a sale', [
        counted('grant-coupons', 'CouponsGranted', 'granted'),
        countedBy('outcome', 'CodesExchanged', 'exchange-coupon'),
      ]),
      graph('Coupons expired and put on sale again', [
        counted('expire-coupons', 'CouponsExpired', 'expired'),
        counted('restock-coupons', 'CouponsRestocked', 'on sale again'),
      ]),
      graph('Records of batches that failed, by reason', [countedBy('reason', 'RecordsFailed')]),
    );
    dashboard.addWidgets(
      graph('Coupon changes: milliseconds until counted', [
        stream.fn.metric('IteratorAge', { period: MINUTE, statistic: Stats.MAXIMUM, label: stream.fn.name }),
      ]),
      graph('Dead letters', [
        ...queues.map((it) => waiting(it.deadLetters, it.title)),
        ...functions.flatMap((fn) => (fn.deadLetterQueue ? waiting(fn.deadLetterQueue, fn.name) : [])),
        waiting(stream.deadLetters, stream.fn.name),
      ]),
    );
  }
}

function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8 });
}

function waiting(queue: IQueue, label: string): IMetric {
  return queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: Stats.MAXIMUM, label });
}

function sum(table: TableV2, metricName: string): IMetric {
  return table.metric(metricName, { period: MINUTE, statistic: Stats.SUM, label: metricName });
}

/** A metric that a function writes itself. */
function metric(service: FunctionName, metricName: string, label: string, statistic: string): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { service },
    statistic,
    period: MINUTE,
    label,
  });
}

function counted(service: FunctionName, metricName: string, label: string): Metric {
  return metric(service, metricName, label, Stats.SUM);
}

/** Of one function or of all. Finds the values of the dimension by itself, so that a new one needs no deployment. */
function countedBy(dimension: string, metricName: string, service?: FunctionName): MathExpression {
  const ofService = service ? `service="${service}" ` : '';
  return new MathExpression({
    expression: `SEARCH('{${METRICS_NAMESPACE},service,${dimension}} ${ofService}MetricName="${metricName}"', 'Sum', 60)`,
    usingMetrics: {},
    label: '',
    period: MINUTE,
  });
}

import { Duration } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { Dashboard, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { MINUTE } from './metrics.ts';
import {
  counted,
  countedBy,
  deadLetters,
  functionLatency,
  functionRow,
  graph,
  measured,
  queueRow,
  streamLag,
  sum,
  tableUse,
  type Watched,
} from './widgets.ts';

export interface SaleDashboardProps extends Watched {
  readonly api: HttpApi;
}

/** What one looks at while a sale runs: what guests got, how long it took, what it used. */
export class SaleDashboard extends Construct {
  constructor(scope: Construct, id: string, props: SaleDashboardProps) {
    super(scope, id);
    const { api, functions, queues, stream, table } = props;
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
        measured('claim-coupon-batch', 'ClaimWaitMs', 'p50', Stats.p(50)),
        measured('claim-coupon-batch', 'ClaimWaitMs', 'p99', Stats.p(99)),
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
      functionLatency(functions),
    );
    dashboard.addWidgets(...functionRow(functions), tableUse(table));
    dashboard.addWidgets(...queueRow(queues));
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
    dashboard.addWidgets(streamLag('Coupon changes: milliseconds until counted', stream), deadLetters(props));
  }
}

import { Duration } from 'aws-cdk-lib';
import { Dashboard, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import {
  countedBy,
  deadLetters,
  functionLatency,
  functionRow,
  graph,
  measured,
  queueRow,
  searched,
  streamLag,
  tableUse,
  type Watched,
} from './widgets.ts';

/** What one looks at when guests wait for messages: how many go out, by whom, how soon, and what does not. */
export class NotificationDashboard extends Construct {
  constructor(scope: Construct, id: string, props: Watched) {
    super(scope, id);
    const { functions, queues, stream, table } = props;
    const dashboard = new Dashboard(this, 'Dashboard', { defaultInterval: Duration.hours(3) });
    const dispatch = 'dispatch-notification';

    dashboard.addWidgets(
      graph('Messages accepted, by channel', [countedBy('type', 'NotificationsAccepted')]),
      graph('Messages queued, by what', [countedBy('by', 'NotificationsQueued')]),
      graph('Delivery reports, by provider and fate', [countedBy('fate,provider', 'DeliveryReports')]),
    );
    dashboard.addWidgets(
      graph('Messages dispatched, by outcome', [countedBy('outcome', 'NotificationsDispatched', dispatch)]),
      graph('Calls of providers, by outcome', [countedBy('outcome,provider', 'ProviderCalls', dispatch)]),
      graph('Milliseconds until a provider answers, p99', [
        searched('provider', 'ProviderMs', 'p99', dispatch),
      ]),
    );
    dashboard.addWidgets(
      graph('Providers left alone', [countedBy('provider', 'ProviderLeftAlone', dispatch)]),
      graph('Scheduled messages: milliseconds late', [
        measured('schedule-notifications', 'NotificationsLateMs', 'the latest', Stats.MAXIMUM),
      ]),
      streamLag('Accepted messages: milliseconds until queued', stream),
    );
    dashboard.addWidgets(...queueRow(queues));
    dashboard.addWidgets(functionLatency(functions), ...functionRow(functions));
    dashboard.addWidgets(
      tableUse(table),
      deadLetters(props),
      graph('Records of batches that failed, by reason', [countedBy('reason', 'RecordsFailed')]),
    );
  }
}

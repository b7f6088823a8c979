import { GraphWidget, type IMetric, MathExpression, type Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { FunctionName } from '../functions.ts';
import type { StreamReader } from './alarms.ts';
import { MINUTE, ownMetric } from './metrics.ts';
import { METRICS_NAMESPACE, type RustFunction } from './rust-function.ts';
import type { WorkQueue } from './work-queue.ts';

/** What a service is made of, as far as it can be looked at. */
export interface Watched {
  readonly functions: readonly RustFunction[];
  readonly queues: readonly WorkQueue[];
  readonly stream: StreamReader;
  readonly table: TableV2;
}

export function graph(title: string, left: IMetric[]): GraphWidget {
  return new GraphWidget({ title, left, width: 8 });
}

export function functionRow(functions: readonly RustFunction[]): GraphWidget[] {
  return [
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
  ];
}

export function functionLatency(functions: readonly RustFunction[]): GraphWidget {
  return graph(
    'Function latency, p99',
    functions.map((fn) => fn.metricDuration({ period: MINUTE, statistic: Stats.p(99), label: fn.name })),
  );
}

export function tableUse(table: TableV2): GraphWidget {
  return graph('Table: consumed units and throttles', [
    table.metricConsumedReadCapacityUnits({ period: MINUTE, statistic: Stats.SUM, label: 'read' }),
    table.metricConsumedWriteCapacityUnits({ period: MINUTE, statistic: Stats.SUM, label: 'write' }),
    sum(table, 'ReadThrottleEvents'),
    sum(table, 'WriteThrottleEvents'),
  ]);
}

export function queueRow(queues: readonly WorkQueue[]): GraphWidget[] {
  return [
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
  ];
}

export function streamLag(title: string, { fn }: StreamReader): GraphWidget {
  return graph(title, [
    fn.metric('IteratorAge', { period: MINUTE, statistic: Stats.MAXIMUM, label: fn.name }),
  ]);
}

export function deadLetters({ functions, queues, stream }: Watched): GraphWidget {
  return graph('Dead letters', [
    ...queues.map((it) => waiting(it.deadLetters, it.title)),
    ...functions.flatMap((fn) => (fn.deadLetterQueue ? waiting(fn.deadLetterQueue, fn.name) : [])),
    waiting(stream.deadLetters, stream.fn.name),
  ]);
}

function waiting(queue: IQueue, label: string): IMetric {
  return queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: Stats.MAXIMUM, label });
}

export function sum(table: TableV2, metricName: string): IMetric {
  return table.metric(metricName, { period: MINUTE, statistic: Stats.SUM, label: metricName });
}

/** A metric that a function writes itself. */
export function measured(
  service: FunctionName,
  metricName: string,
  label: string,
  statistic: string,
): Metric {
  return ownMetric(service, metricName, { statistic, label });
}

export function counted(service: FunctionName, metricName: string, label: string): Metric {
  return ownMetric(service, metricName, { label });
}

/** Of one function or of all. Finds the values of the dimensions by itself, so that a new one needs no deployment. */
export function countedBy(dimensions: string, metricName: string, service?: FunctionName): MathExpression {
  return searched(dimensions, metricName, 'Sum', service);
}

export function searched(
  dimensions: string,
  metricName: string,
  statistic: string,
  service?: FunctionName,
): MathExpression {
  const ofService = service ? `service="${service}" ` : '';
  const schema = `{${METRICS_NAMESPACE},service,${dimensions}}`;
  return new MathExpression({
    expression: `SEARCH('${schema} ${ofService}MetricName="${metricName}"', '${statistic}', 60)`,
    usingMetrics: {},
    label: '',
    period: MINUTE,
  });
}

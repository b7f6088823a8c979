import { Duration } from 'aws-cdk-lib';
import { Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { FunctionName } from '../functions.ts';
import { METRICS_NAMESPACE } from './rust-function.ts';

export const MINUTE = Duration.minutes(1);

export interface OwnMetricProps {
  /** Beside the function, which every metric has. */
  readonly dimensions?: Readonly<Record<string, string>>;
  /** The sum unless told otherwise. */
  readonly statistic?: string;
  readonly label?: string;
}

/** A metric that a function writes itself. It is known by name alone, so that it can be watched from any stack. */
export function ownMetric(service: FunctionName, metricName: string, props: OwnMetricProps = {}): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { service, ...props.dimensions },
    statistic: props.statistic ?? Stats.SUM,
    period: MINUTE,
    label: props.label,
  });
}

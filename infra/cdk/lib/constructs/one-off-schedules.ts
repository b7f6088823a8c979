import { Stack } from 'aws-cdk-lib';
import { Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import { acknowledgeWildcard, type RustFunction } from './rust-function.ts';
import { schedulerRole } from './triggers.ts';

/** Where a function puts schedules that fire once, of which each invokes `target`. */
export class OneOffSchedules extends Construct {
  /** What whoever makes schedules must know. */
  readonly environment: Readonly<Record<string, string>>;

  private readonly role: Role;
  private readonly schedules: string;

  constructor(scope: Construct, id: string, target: RustFunction) {
    super(scope, id);
    // Of its own: what is in it can be counted, and goes with it.
    const group = new CfnScheduleGroup(this, 'Group');
    this.role = schedulerRole(this, 'Role', target);
    this.schedules = Stack.of(this).formatArn({
      service: 'scheduler',
      resource: 'schedule',
      resourceName: `${group.ref}/*`,
    });
    this.environment = {
      SCHEDULE_GROUP: group.ref,
      SCHEDULE_ROLE_ARN: this.role.roleArn,
      SCHEDULE_TARGET_ARN: target.functionArn,
    };
  }

  /** To make them, which go by themselves once they have fired, and to hand over to Scheduler the one role that they run with. */
  allowScheduling(): PolicyStatement[] {
    return [
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: ['scheduler:CreateSchedule'],
        resources: [this.schedules],
      }),
      new PolicyStatement({
        effect: Effect.ALLOW,
        actions: ['iam:PassRole'],
        resources: [this.role.roleArn],
        conditions: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
      }),
    ];
  }

  /** Of the wildcard in the permissions of whoever makes schedules. */
  acknowledge(fn: RustFunction): void {
    acknowledgeWildcard(
      fn,
      this.schedules,
      'Schedules are named by messages: their group is known beforehand.',
    );
  }
}

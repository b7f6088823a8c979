import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { PushApplications } from '../config.ts';
import { acknowledgeWildcard, type RustFunction } from './rust-function.ts';

/** What whoever registers devices must know of the platform applications there are. */
export function pushEnvironment({ apns, fcm }: PushApplications): Record<string, string> {
  return { ...(apns && { APNS_APPLICATION_ARN: apns }), ...(fcm && { FCM_APPLICATION_ARN: fcm }) };
}

/** Makes a device known to SNS, and known again when its token has changed. */
export function allowRegisteringDevices(fn: RustFunction, { apns, fcm }: PushApplications): void {
  for (const application of [apns, fcm]) {
    if (application === undefined) continue;
    const endpoints = `${application.replace(':app/', ':endpoint/')}/*`;
    fn.addToRolePolicy(allow('sns:CreatePlatformEndpoint', application));
    fn.addToRolePolicy(allow('sns:SetEndpointAttributes', endpoints));
    acknowledgeWildcard(fn, endpoints, 'SNS names the endpoints of an application.');
  }
}

function allow(action: string, resource: string): PolicyStatement {
  return new PolicyStatement({ effect: Effect.ALLOW, actions: [action], resources: [resource] });
}

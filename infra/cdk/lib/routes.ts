import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import type { FunctionName } from './functions.ts';

/** `token`: a valid access token of the user pool. Groups are checked by the function. */
export type Access = 'public' | 'token';

export type ThrottleClass = 'claim' | 'browse' | 'admin';

export interface Route {
  readonly method: HttpMethod;
  readonly path: string;
  readonly function: FunctionName;
  readonly access: Access;
  readonly throttle: ThrottleClass;
}

const { GET, PATCH, POST } = HttpMethod;

export const ROUTES: readonly Route[] = [
  route(POST, '/v1/coupon-templates/{id}/claims', 'claim-coupon', 'token', 'claim'),

  route(GET, '/v1/coupon-templates', 'list-coupon-templates', 'public', 'browse'),
  route(GET, '/v1/coupon-templates/{id}', 'list-coupon-templates', 'public', 'browse'),

  route(GET, '/v1/me/coupons', 'list-my-coupons', 'token', 'browse'),
  route(GET, '/v1/me/coupons/{id}', 'list-my-coupons', 'token', 'browse'),

  route(POST, '/v1/admin/coupon-templates', 'manage-coupon-templates', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates', 'manage-coupon-templates', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates/{id}', 'manage-coupon-templates', 'token', 'admin'),
  route(PATCH, '/v1/admin/coupon-templates/{id}', 'manage-coupon-templates', 'token', 'admin'),
];

/** The key API Gateway knows a route by, as in `GET /v1/me/coupons`. */
export function routeKey({ method, path }: Pick<Route, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

function route(
  method: HttpMethod,
  path: string,
  fn: FunctionName,
  access: Access,
  throttle: ThrottleClass,
): Route {
  return { method, path, function: fn, access, throttle };
}

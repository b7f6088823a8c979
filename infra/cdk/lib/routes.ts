import { HttpMethod } from 'aws-cdk-lib/aws-apigatewayv2';
import type { FunctionName } from './functions.ts';

/**
 * `provider`: a call of a provider of notifications, whose signature or token the function checks: each has its own way.
 * `token`: a valid access token of the user pool. Groups are checked by the function.
 * `iam`: a signed request of a role that may invoke `/v1/internal`; for our own services, not for guests.
 */
export type Access = 'public' | 'provider' | 'token' | 'iam';

export type ThrottleClass = 'claim' | 'browse' | 'admin';

/** Where API Gateway puts a request itself, without a function. */
export const CLAIM_QUEUE = 'claim queue';

export interface Route {
  readonly method: HttpMethod;
  readonly path: string;
  readonly target: FunctionName | typeof CLAIM_QUEUE;
  readonly access: Access;
  readonly throttle: ThrottleClass;
}

const { DELETE, GET, PATCH, POST, PUT } = HttpMethod;

export const ROUTES: readonly Route[] = [
  route(POST, '/v1/coupon-templates/{id}/claims', 'claim-coupon', 'token', 'claim'),
  route(POST, '/v1/campaigns/{id}/claims', 'claim-coupon', 'token', 'claim'),
  route(POST, '/v1/coupon-templates/{id}/queued-claims', CLAIM_QUEUE, 'token', 'claim'),
  route(GET, '/v1/claims/{requestId}', 'show-claim', 'token', 'browse'),

  route(GET, '/v1/coupon-templates', 'list-coupon-templates', 'public', 'browse'),
  route(GET, '/v1/coupon-templates/{id}', 'list-coupon-templates', 'public', 'browse'),

  route(GET, '/v1/campaigns', 'list-campaigns', 'public', 'browse'),
  route(GET, '/v1/campaigns/{id}', 'list-campaigns', 'public', 'browse'),

  route(GET, '/v1/me/coupons', 'list-my-coupons', 'token', 'browse'),
  route(GET, '/v1/me/coupons/{id}', 'list-my-coupons', 'token', 'browse'),
  route(POST, '/v1/me/coupon-quotes', 'quote-coupons', 'token', 'browse'),
  route(POST, '/v1/me/coupon-exchanges', 'exchange-coupon', 'token', 'browse'),
  route(POST, '/v1/me/coupons/{id}/lock', 'use-coupon', 'token', 'browse'),
  route(POST, '/v1/me/coupons/{id}/redeem', 'use-coupon', 'token', 'browse'),
  route(POST, '/v1/me/coupons/{id}/release', 'use-coupon', 'token', 'browse'),

  route(POST, '/v1/internal/guests/{guestId}/coupons/{id}/lock', 'use-coupon', 'iam', 'browse'),
  route(POST, '/v1/internal/guests/{guestId}/coupons/{id}/redeem', 'use-coupon', 'iam', 'browse'),
  route(POST, '/v1/internal/guests/{guestId}/coupons/{id}/release', 'use-coupon', 'iam', 'browse'),
  route(POST, '/v1/internal/guests/{guestId}/coupons/{id}/refund', 'use-coupon', 'iam', 'browse'),

  route(POST, '/v1/admin/coupon-templates', 'manage-coupon-templates', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates', 'manage-coupon-templates', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates/{id}', 'manage-coupon-templates', 'token', 'admin'),
  route(PATCH, '/v1/admin/coupon-templates/{id}', 'manage-coupon-templates', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates/{id}/report', 'show-coupon-report', 'token', 'admin'),

  route(POST, '/v1/admin/coupon-templates/{id}/code-batches', 'manage-exchange-codes', 'token', 'admin'),
  route(GET, '/v1/admin/coupon-templates/{id}/code-batches', 'manage-exchange-codes', 'token', 'admin'),
  route(
    GET,
    '/v1/admin/coupon-templates/{id}/code-batches/{batchId}',
    'manage-exchange-codes',
    'token',
    'admin',
  ),
  route(
    PATCH,
    '/v1/admin/coupon-templates/{id}/code-batches/{batchId}',
    'manage-exchange-codes',
    'token',
    'admin',
  ),

  route(POST, '/v1/admin/grants', 'manage-grants', 'token', 'admin'),
  route(GET, '/v1/admin/grants', 'manage-grants', 'token', 'admin'),
  route(GET, '/v1/admin/grants/{id}', 'manage-grants', 'token', 'admin'),
  route(PATCH, '/v1/admin/grants/{id}', 'manage-grants', 'token', 'admin'),
  route(GET, '/v1/admin/grants/{id}/report', 'manage-grants', 'token', 'admin'),
  route(POST, '/v1/admin/grant-uploads', 'manage-grants', 'token', 'admin'),

  route(POST, '/v1/admin/campaigns', 'manage-campaigns', 'token', 'admin'),
  route(GET, '/v1/admin/campaigns', 'manage-campaigns', 'token', 'admin'),
  route(GET, '/v1/admin/campaigns/{id}', 'manage-campaigns', 'token', 'admin'),
  route(PATCH, '/v1/admin/campaigns/{id}', 'manage-campaigns', 'token', 'admin'),
  route(PUT, '/v1/admin/campaigns/{id}/templates/{templateId}', 'manage-campaigns', 'token', 'admin'),
  route(DELETE, '/v1/admin/campaigns/{id}/templates/{templateId}', 'manage-campaigns', 'token', 'admin'),
  route(GET, '/v1/admin/campaigns/{id}/report', 'show-coupon-report', 'token', 'admin'),

  // Other services sign in too: their group is checked by the function, as that of admins is.
  route(POST, '/v1/notifications', 'send-notification', 'token', 'browse'),
  route(GET, '/v1/notifications', 'send-notification', 'token', 'browse'),
  route(GET, '/v1/notifications/{id}', 'send-notification', 'token', 'browse'),
  route(POST, '/v1/notifications/{id}/cancel', 'send-notification', 'token', 'browse'),
  route(POST, '/v1/internal/notifications', 'send-notification', 'iam', 'browse'),
  route(GET, '/v1/internal/notifications', 'send-notification', 'iam', 'browse'),
  route(GET, '/v1/internal/notifications/{id}', 'send-notification', 'iam', 'browse'),
  route(POST, '/v1/internal/notifications/{id}/cancel', 'send-notification', 'iam', 'browse'),

  route(POST, '/v1/admin/broadcasts', 'send-notification', 'token', 'admin'),
  route(GET, '/v1/admin/broadcasts', 'send-notification', 'token', 'admin'),
  route(GET, '/v1/admin/broadcasts/{id}', 'send-notification', 'token', 'admin'),
  route(POST, '/v1/admin/broadcasts/{id}/cancel', 'send-notification', 'token', 'admin'),
  route(GET, '/v1/admin/notification-redrives', 'redrive-notifications', 'token', 'admin'),
  route(POST, '/v1/admin/notification-redrives', 'redrive-notifications', 'token', 'admin'),

  route(POST, '/v1/admin/notification-templates', 'manage-notification-templates', 'token', 'admin'),
  route(GET, '/v1/admin/notification-templates', 'manage-notification-templates', 'token', 'admin'),
  route(GET, '/v1/admin/notification-templates/{code}', 'manage-notification-templates', 'token', 'admin'),
  route(PATCH, '/v1/admin/notification-templates/{code}', 'manage-notification-templates', 'token', 'admin'),
  route(
    POST,
    '/v1/admin/notification-templates/{code}/versions',
    'manage-notification-templates',
    'token',
    'admin',
  ),
  route(
    GET,
    '/v1/admin/notification-templates/{code}/versions/{version}',
    'manage-notification-templates',
    'token',
    'admin',
  ),
  route(
    POST,
    '/v1/admin/notification-templates/{code}/preview',
    'manage-notification-templates',
    'token',
    'admin',
  ),
  route(
    POST,
    '/v1/admin/notification-templates/{code}/test-sends',
    'manage-notification-templates',
    'token',
    'admin',
  ),

  route(GET, '/v1/admin/notification-rules', 'manage-notification-rules', 'token', 'admin'),
  route(GET, '/v1/admin/notification-rules/{id}', 'manage-notification-rules', 'token', 'admin'),
  route(PUT, '/v1/admin/notification-rules/{id}', 'manage-notification-rules', 'token', 'admin'),
  route(DELETE, '/v1/admin/notification-rules/{id}', 'manage-notification-rules', 'token', 'admin'),
  route(POST, '/v1/admin/notification-rules/{id}/try', 'manage-notification-rules', 'token', 'admin'),

  route(GET, '/v1/me/inbox', 'manage-inbox', 'token', 'browse'),
  route(GET, '/v1/me/inbox/unread-count', 'manage-inbox', 'token', 'browse'),
  route(POST, '/v1/me/inbox/{id}/read', 'manage-inbox', 'token', 'browse'),
  route(POST, '/v1/me/inbox/read-all', 'manage-inbox', 'token', 'browse'),
  route(DELETE, '/v1/me/inbox/{id}', 'manage-inbox', 'token', 'browse'),

  route(GET, '/v1/me/notification-preferences', 'manage-notification-preferences', 'token', 'browse'),
  route(PUT, '/v1/me/notification-preferences', 'manage-notification-preferences', 'token', 'browse'),
  route(PUT, '/v1/me/devices/{deviceId}', 'manage-notification-preferences', 'token', 'browse'),
  route(DELETE, '/v1/me/devices/{deviceId}', 'manage-notification-preferences', 'token', 'browse'),
  route(PUT, '/v1/internal/guests/{guestId}/contacts', 'manage-notification-preferences', 'iam', 'browse'),
  route(GET, '/v1/internal/guests/{guestId}/contacts', 'manage-notification-preferences', 'iam', 'browse'),

  route(POST, '/v1/delivery-reports/{provider}', 'receive-delivery-report', 'provider', 'browse'),
  // By which a provider asks whether we want them.
  route(GET, '/v1/delivery-reports/{provider}', 'receive-delivery-report', 'provider', 'browse'),

  // Hosts sign in too; that a homestay is theirs is checked by the function.
  route(POST, '/v1/homestays', 'manage-homestays', 'token', 'browse'),
  route(GET, '/v1/homestays/{id}', 'manage-homestays', 'public', 'browse'),
  route(PATCH, '/v1/homestays/{id}', 'manage-homestays', 'token', 'browse'),
  route(DELETE, '/v1/homestays/{id}', 'manage-homestays', 'token', 'browse'),
  route(GET, '/v1/me/homestays', 'manage-homestays', 'token', 'browse'),
  route(GET, '/v1/me/homestays/{id}', 'manage-homestays', 'token', 'browse'),

  route(POST, '/v1/admin/homestay-uploads', 'manage-homestays', 'token', 'admin'),
  route(POST, '/v1/admin/homestay-imports', 'manage-homestays', 'token', 'admin'),
  route(GET, '/v1/admin/homestay-imports', 'manage-homestays', 'token', 'admin'),
  route(GET, '/v1/admin/homestay-imports/{id}', 'manage-homestays', 'token', 'admin'),
  route(GET, '/v1/admin/homestay-imports/{id}/report', 'manage-homestays', 'token', 'admin'),
  route(POST, '/v1/admin/homestay-imports/{id}/cancel', 'manage-homestays', 'token', 'admin'),

  route(GET, '/v1/homestays/search', 'search-homestays', 'public', 'browse'),
  route(GET, '/v1/admin/homestays/search', 'search-homestays', 'token', 'admin'),
  route(GET, '/v1/homestays/suggest', 'suggest-homestays', 'public', 'browse'),
  route(GET, '/v1/homestays/hot-searches', 'list-hot-searches', 'public', 'browse'),

  route(GET, '/v1/me/search-history', 'manage-search-history', 'token', 'browse'),
  route(POST, '/v1/me/search-history', 'manage-search-history', 'token', 'browse'),
  route(DELETE, '/v1/me/search-history', 'manage-search-history', 'token', 'browse'),
  route(DELETE, '/v1/me/search-history/{id}', 'manage-search-history', 'token', 'browse'),
  route(POST, '/v1/search-clicks', 'record-search-click', 'public', 'browse'),
  route(GET, '/v1/admin/search-report', 'show-search-report', 'token', 'admin'),

  route(GET, '/v1/admin/search-index', 'manage-search-index', 'token', 'admin'),
  route(POST, '/v1/admin/search-index/rebuilds', 'manage-search-index', 'token', 'admin'),
  route(GET, '/v1/admin/search-index/rebuilds', 'manage-search-index', 'token', 'admin'),
  route(GET, '/v1/admin/search-index/rebuilds/{id}', 'manage-search-index', 'token', 'admin'),
  route(POST, '/v1/admin/search-index/rebuilds/{id}/cancel', 'manage-search-index', 'token', 'admin'),
  route(POST, '/v1/admin/search-index/rebuilds/{id}/roll-back', 'manage-search-index', 'token', 'admin'),
  route(POST, '/v1/admin/search-index/reconciliations', 'manage-search-index', 'token', 'admin'),
];

/** The key API Gateway knows a route by, as in `GET /v1/me/coupons`. */
export function routeKey({ method, path }: Pick<Route, 'method' | 'path'>): string {
  return `${method} ${path}`;
}

function route(
  method: HttpMethod,
  path: string,
  target: Route['target'],
  access: Access,
  throttle: ThrottleClass,
): Route {
  return { method, path, target, access, throttle };
}

/** Every Lambda function of the app, named like its folder in `functions/`. */
export const FUNCTION_NAMES = [
  // Coupons: sold, used, expired.
  'claim-coupon',
  'claim-coupon-batch',
  'show-claim',
  'list-coupon-templates',
  'list-my-coupons',
  'manage-coupon-templates',
  'quote-coupons',
  'use-coupon',
  'expire-coupons',
  'remind-expiring-coupons',
  'restock-coupons',
  'count-coupon-facts',
  // Marketing: given away, exchanged, grouped, reported.
  'manage-grants',
  'grant-coupons',
  'grant-coupons-on-event',
  'manage-exchange-codes',
  'export-exchange-codes',
  'exchange-coupon',
  'manage-campaigns',
  'list-campaigns',
  'show-coupon-report',
  // Notifications: accepted, sent, followed up; what guests and operators set.
  'send-notification',
  'queue-notifications',
  'schedule-notifications',
  'dispatch-notification',
  'broadcast-notifications',
  'redrive-notifications',
  'receive-delivery-report',
  'record-mail-events',
  'manage-inbox',
  'manage-notification-preferences',
  'manage-notification-templates',
  'manage-notification-rules',
  'notify-on-event',
] as const;

export type FunctionName = (typeof FUNCTION_NAMES)[number];

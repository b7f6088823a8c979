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
] as const;

export type FunctionName = (typeof FUNCTION_NAMES)[number];

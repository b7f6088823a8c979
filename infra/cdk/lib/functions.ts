/** Every Lambda function of the app, named like its folder in `functions/`. */
export const FUNCTION_NAMES = [
  'claim-coupon',
  'list-coupon-templates',
  'list-my-coupons',
  'manage-coupon-templates',
] as const;

export type FunctionName = (typeof FUNCTION_NAMES)[number];

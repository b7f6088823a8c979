import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import {
  AccountRecovery,
  FeaturePlan,
  Mfa,
  StandardThreatProtectionMode,
  UserPool,
  type UserPoolClient,
} from 'aws-cdk-lib/aws-cognito';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/** Guests sign up by themselves and sign in with their e-mail address; admins are made by an admin. */
export class GuestsAndAdmins extends UserPool {
  readonly client: UserPoolClient;

  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      signInAliases: { email: true },
      signInCaseSensitive: false,
      autoVerify: { email: true },
      selfSignUpEnabled: true,
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      passwordPolicy: {
        minLength: 12,
        requireLowercase: true,
        requireUppercase: true,
        requireDigits: true,
        requireSymbols: true,
        tempPasswordValidity: Duration.days(3),
      },
      mfa: Mfa.OPTIONAL,
      mfaSecondFactor: { otp: true, sms: false },
      ...(config.threatProtection && {
        featurePlan: FeaturePlan.PLUS,
        standardThreatProtectionMode: StandardThreatProtectionMode.FULL_FUNCTION,
      }),
      deletionProtection: config.protectData,
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });

    // `host`: who offers homestays. `service`: other services of the platform, which sign in too.
    for (const groupName of ['admin', 'guest', 'host', 'service']) {
      this.addGroup(groupName, { groupName });
    }

    this.client = this.addClient('Web', {
      generateSecret: false,
      disableOAuth: true,
      authFlows: { userSrp: true, userPassword: config.passwordAuth },
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      // The API cannot see that a token was revoked, so access tokens do not live long.
      accessTokenValidity: Duration.hours(1),
      idTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.days(30),
    });

    Validations.of(this).acknowledge(
      {
        id: 'AwsSolutions-COG2',
        reason:
          'A second factor is offered, not forced: guests would rather leave than set one up for a coupon.',
      },
      {
        id: 'AwsSolutions-COG8',
        reason: 'The Plus plan is priced per active user, so it is a choice: -c threatProtection=true.',
      },
    );
  }
}

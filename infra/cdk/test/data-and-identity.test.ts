import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { synthesize } from './synthesize.ts';

const TABLE = 'AWS::DynamoDB::GlobalTable';
const POOL = 'AWS::Cognito::UserPool';
const CLIENT = 'AWS::Cognito::UserPoolClient';

describe('the coupon table', () => {
  const data = synthesize('dev').template('Data');

  it('can be restored to any second, streams its changes and forgets what has expired', () => {
    data.hasResourceProperties(TABLE, {
      BillingMode: 'PAY_PER_REQUEST',
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      Replicas: [
        Match.objectLike({ PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true } }),
      ],
    });
  });

  it('lists templates by an index whose keys coupons do not carry', () => {
    data.hasResourceProperties(TABLE, {
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        Match.objectLike({
          IndexName: 'templates-by-end',
          KeySchema: [
            { AttributeName: 'listPk', KeyType: 'HASH' },
            { AttributeName: 'listSk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        }),
      ],
    });
  });

  it.each(['staging', 'prod'] as const)('cannot be deleted in %s, not even with its stack', (stage) => {
    synthesize(stage)
      .template('Data')
      .hasResource(TABLE, {
        DeletionPolicy: 'Retain',
        UpdateReplacePolicy: 'Retain',
        Properties: { Replicas: [Match.objectLike({ DeletionProtectionEnabled: true })] },
      });
  });

  it('goes away with its stack in dev', () => {
    data.hasResource(TABLE, { DeletionPolicy: 'Delete' });
  });

  it('is warmed before a sale by context', () => {
    synthesize('prod', { warmReads: '20000', warmWrites: '40000' })
      .template('Data')
      .hasResourceProperties(TABLE, {
        WarmThroughput: { ReadUnitsPerSecond: 20_000, WriteUnitsPerSecond: 40_000 },
      });
  });
});

describe('the user pool', () => {
  const prod = synthesize('prod').template('Identity');

  it('lets guests sign up with an e-mail address and a strong password', () => {
    prod.hasResourceProperties(POOL, {
      UsernameAttributes: ['email'],
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: false },
      Policies: {
        PasswordPolicy: {
          MinimumLength: 12,
          RequireLowercase: true,
          RequireNumbers: true,
          RequireSymbols: true,
          RequireUppercase: true,
          TemporaryPasswordValidityDays: 3,
        },
      },
    });
  });

  it('cannot be deleted in prod', () => {
    prod.hasResource(POOL, { DeletionPolicy: 'Retain', Properties: { DeletionProtection: 'ACTIVE' } });
  });

  it.each(['admin', 'guest'])('has the group %s', (GroupName) => {
    prod.hasResourceProperties('AWS::Cognito::UserPoolGroup', { GroupName });
  });

  it('gives short-lived, revocable tokens and does not tell who has an account', () => {
    prod.hasResourceProperties(CLIENT, {
      GenerateSecret: false,
      AccessTokenValidity: 60,
      TokenValidityUnits: Match.objectLike({ AccessToken: 'minutes' }),
      EnableTokenRevocation: true,
      PreventUserExistenceErrors: 'ENABLED',
    });
  });

  it('takes plain passwords for scripts in local and dev only', () => {
    const flows = (stage: 'local' | 'dev' | 'staging' | 'prod') => {
      const [client] = Object.values(synthesize(stage).template('Identity').findResources(CLIENT));
      return client?.Properties.ExplicitAuthFlows as string[];
    };
    for (const stage of ['local', 'dev'] as const) expect(flows(stage)).toContain('ALLOW_USER_PASSWORD_AUTH');
    for (const stage of ['staging', 'prod'] as const) {
      expect(flows(stage).sort()).toEqual(['ALLOW_REFRESH_TOKEN_AUTH', 'ALLOW_USER_SRP_AUTH']);
    }
  });

  it('watches for stolen passwords when that is paid for', () => {
    synthesize('prod', { threatProtection: 'true' })
      .template('Identity')
      .hasResourceProperties(POOL, {
        UserPoolTier: 'PLUS',
        UserPoolAddOns: { AdvancedSecurityMode: 'ENFORCED' },
      });
  });
});

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
        Match.anyValue(),
      ],
    });
  });

  it('finds coupons that expire by an index that holds nothing but keys', () => {
    data.hasResourceProperties(TABLE, {
      AttributeDefinitions: Match.arrayWith([
        { AttributeName: 'expiryShard', AttributeType: 'S' },
        { AttributeName: 'expiresAt', AttributeType: 'N' },
      ]),
      GlobalSecondaryIndexes: Match.arrayWith([
        Match.objectLike({
          IndexName: 'coupons-by-expiry',
          KeySchema: [
            { AttributeName: 'expiryShard', KeyType: 'HASH' },
            { AttributeName: 'expiresAt', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        }),
      ]),
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

describe('the notification table', () => {
  const data = synthesize('prod').template('Data');

  it('can be restored to any second, streams its changes, forgets what has expired, and cannot be deleted', () => {
    const [table, ...others] = Object.entries(data.findResources(TABLE)).filter(([id]) =>
      id.startsWith('NotificationTable'),
    );
    expect(others).toEqual([]);
    expect(table?.[1]).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: {
        StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
        Replicas: [
          {
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
            DeletionProtectionEnabled: true,
          },
        ],
      },
    });
  });

  it.each([
    ['messages-by-receiver', 'receiver', 'acceptedAt'],
    ['messages-by-due', 'dueShard', 'dueAt'],
  ])('finds messages by the index %s, which holds nothing but keys', (IndexName, partition, sort) => {
    data.hasResourceProperties(TABLE, {
      AttributeDefinitions: Match.arrayWith([
        { AttributeName: partition, AttributeType: 'S' },
        { AttributeName: sort, AttributeType: 'N' },
      ]),
      GlobalSecondaryIndexes: Match.arrayWith([
        Match.objectLike({
          IndexName,
          KeySchema: [
            { AttributeName: partition, KeyType: 'HASH' },
            { AttributeName: sort, KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'KEYS_ONLY' },
        }),
      ]),
    });
  });
});

describe('the tables of homestays and of searches', () => {
  const data = synthesize('prod').template('Data');
  const tableOf = (id: string) => {
    const found = Object.entries(data.findResources(TABLE)).filter(([logicalId]) => logicalId.startsWith(id));
    expect(found).toHaveLength(1);
    return found[0]?.[1];
  };

  // A backup of the searches would keep the salts of days that are over.
  it.each([
    ['HomestayTable', true],
    ['SearchTable', false],
  ])(
    '%s forgets what has expired, cannot be deleted, and that it can be restored to any second is %s',
    (id, recoverable) => {
      expect(tableOf(id)).toMatchObject({
        DeletionPolicy: 'Retain',
        Properties: {
          BillingMode: 'PAY_PER_REQUEST',
          TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
          Replicas: [
            {
              PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: recoverable },
              DeletionProtectionEnabled: true,
            },
          ],
        },
      });
    },
  );

  it('stream the changes of homestays, which the index follows, and none of searches', () => {
    expect(tableOf('HomestayTable')?.Properties.StreamSpecification).toEqual({
      StreamViewType: 'NEW_AND_OLD_IMAGES',
    });
    expect(tableOf('SearchTable')?.Properties.StreamSpecification).toBeUndefined();
  });

  it.each([
    ['homestays-by-host', 'hostPk', 'createdAt', 'N'],
    ['jobs-by-start', 'listPk', 'listSk', 'S'],
  ])('list by the index %s', (IndexName, partition, sort, type) => {
    const { AttributeDefinitions, GlobalSecondaryIndexes } = tableOf('HomestayTable')?.Properties ?? {};
    expect(AttributeDefinitions).toEqual(
      expect.arrayContaining([
        { AttributeName: partition, AttributeType: 'S' },
        { AttributeName: sort, AttributeType: type },
      ]),
    );
    expect(GlobalSecondaryIndexes).toContainEqual(
      expect.objectContaining({
        IndexName,
        KeySchema: [
          { AttributeName: partition, KeyType: 'HASH' },
          { AttributeName: sort, KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      }),
    );
  });
});

describe('the bucket of jobs', () => {
  const BUCKET = 'AWS::S3::Bucket';
  const data = synthesize('prod', { corsOrigins: 'https://www.example.com' }).template('Data');

  it('is closed to the public, encrypted, and reached over TLS only', () => {
    data.hasResourceProperties(BUCKET, {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
    });
    data.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: [
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
        ],
      },
    });
  });

  it('forgets every file after a month, and what was never finished after a day', () => {
    data.hasResourceProperties(BUCKET, {
      LifecycleConfiguration: {
        Rules: ['uploads/', 'grants/', 'codes/', 'imports/'].map((Prefix) => ({
          Prefix,
          Status: 'Enabled',
          ExpirationInDays: 30,
          AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
        })),
      },
    });
  });

  it('takes uploads from pages of the named origins, and from no page where none is named', () => {
    data.hasResourceProperties(BUCKET, {
      CorsConfiguration: {
        CorsRules: [
          Match.objectLike({ AllowedMethods: ['GET', 'PUT'], AllowedOrigins: ['https://www.example.com'] }),
        ],
      },
    });
    synthesize('prod').template('Data').hasResourceProperties(BUCKET, { CorsConfiguration: Match.absent() });
  });
});

describe('the secret keys', () => {
  const SECRET = 'AWS::SecretsManager::Secret';

  it('are made by AWS, 64 letters and digits each', () => {
    const secrets = Object.entries(synthesize('prod').template('Data').findResources(SECRET));
    const keys = secrets.filter(([id]) => !id.startsWith('ProviderSecrets'));
    expect(keys).toHaveLength(2);
    for (const [, { Properties }] of keys) {
      expect(Properties.SecretString).toBeUndefined();
      expect(Properties.GenerateSecretString).toEqual({ PasswordLength: 64, ExcludePunctuation: true });
    }
  });

  it('stay when their stack goes in prod: printed codes are worth nothing without theirs', () => {
    for (const secret of Object.values(synthesize('prod').template('Data').findResources(SECRET))) {
      expect(secret.DeletionPolicy).toBe('Retain');
    }
  });
});

describe('the keys to providers of notifications', () => {
  const secretOf = (stage: 'local' | 'dev' | 'prod') => {
    const secrets = Object.entries(
      synthesize(stage).template('Data').findResources('AWS::SecretsManager::Secret'),
    );
    return secrets.find(([id]) => id.startsWith('ProviderSecrets'))?.[1].Properties.SecretString;
  };

  it.each(['dev', 'prod'] as const)('are none in %s until an operator fills them in', (stage) => {
    expect(secretOf(stage)).toBe('{}');
  });

  it('are those of the stand-ins locally', () => {
    expect(Object.keys(JSON.parse(secretOf('local')))).toContain('aliyun');
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

  it.each(['admin', 'guest', 'host', 'service'])('has the group %s', (GroupName) => {
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

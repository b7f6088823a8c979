import { Duration, RemovalPolicy, type Stack, Validations } from 'aws-cdk-lib';
import { Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, HttpMethods } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/** What admins upload, what grants and imports note about their progress, and codes to download. */
export type Folder = 'uploads/*' | 'grants/*' | 'codes/*' | 'imports/*' | 'imports/uploads/*';

/** But for those that are in another. */
const FOLDERS: readonly Folder[] = ['uploads/*', 'grants/*', 'codes/*', 'imports/*'];

/** Nobody prints codes, or asks why a grant left someone out, later than this. */
const KEPT = Duration.days(30);

/** Files of batch jobs; hands out permissions by folder. */
export class JobBucket extends Bucket {
  constructor(scope: Construct, id: string, config: StageConfig) {
    super(scope, id, {
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      lifecycleRules: FOLDERS.map((folder) => ({
        prefix: folder.replace('*', ''),
        expiration: KEPT,
        // Its parts are invisible and cost as much as the whole.
        abortIncompleteMultipartUploadAfter: Duration.days(1),
      })),
      // Browsers upload and download by presigned URLs.
      cors:
        config.corsOrigins.length === 0
          ? undefined
          : [
              {
                allowedOrigins: [...config.corsOrigins],
                allowedMethods: [HttpMethods.GET, HttpMethods.PUT],
                allowedHeaders: ['*'],
                exposedHeaders: ['ETag'],
                maxAge: Duration.hours(1).toSeconds(),
              },
            ],
      removalPolicy: config.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'Files of admins that live a month: the API logs who asked for a URL, the grants who got what.',
    });
  }

  allowIn(folder: Folder, ...actions: string[]): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions,
      resources: [this.arnForObjects(folder)],
    });
  }

  /** Without it S3 answers 403 for a file that is not there, which passes for an outage. */
  allowListing(...folders: Folder[]): PolicyStatement {
    return new PolicyStatement({
      effect: Effect.ALLOW,
      actions: ['s3:ListBucket'],
      resources: [this.bucketArn],
      conditions: { StringLike: { 's3:prefix': folders } },
    });
  }

  /** Wildcards in the permissions of a stack's functions that stand for the files of one folder. */
  acknowledgeFolders(stack: Stack): void {
    const bucket: { 'Fn::ImportValue': string } = stack.resolve(this.stack.exportValue(this.bucketArn));
    for (const folder of [...FOLDERS, 'imports/uploads/*']) {
      Validations.of(stack).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${bucket['Fn::ImportValue']}/${folder}]`,
        reason: 'The names of files are not known beforehand, their folder is.',
      });
    }
  }
}

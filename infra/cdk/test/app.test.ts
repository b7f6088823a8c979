import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { UserPool } from 'aws-cdk-lib/aws-cognito';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { STAGES } from '../lib/config.ts';
import { FUNCTION_NAMES } from '../lib/functions.ts';
import { LOCAL_STACK_NAMES, STACK_NAMES, synthesize, temporaryDirectory } from './synthesize.ts';

const EVERYTHING = {
  architecture: 'x86_64',
  warmReads: '20000',
  warmWrites: '40000',
  reservedConcurrency: 'claim-coupon=200',
  corsOrigins: 'https://www.example.com',
  domainName: 'api.example.com',
  certificateArn: 'arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
  alarmEmail: 'sales@example.com',
  threatProtection: 'true',
  dispatchConcurrency: 'urgent=100',
  mailFrom: 'mail.example.com',
  apnsApplicationArn: 'arn:aws:sns:eu-west-1:111122223333:app/APNS/flashsale',
  fcmApplicationArn: 'arn:aws:sns:eu-west-1:111122223333:app/GCM/flashsale',
  webCallsApiDirectly: 'true',
  webDomainName: 'www.example.com',
  webCertificateArn: 'arn:aws:acm:us-east-1:111122223333:certificate/00000000-0000-0000-0000-000000000000',
};

describe('the app', () => {
  it.each(STAGES)('passes the AwsSolutions rules in stage %s', (stage) => {
    expect(synthesize(stage).violations).toEqual([]);
  });

  it('passes the AwsSolutions rules with every option set', () => {
    expect(synthesize('prod', EVERYTHING).violations).toEqual([]);
  });

  it('passes the AwsSolutions rules with interface endpoints', () => {
    expect(synthesize('dev', { searchEgress: 'endpoints' }).violations).toEqual([]);
  });

  it.each([
    ['staging', {}],
    ['dev', { searchInstances: '2' }],
    [
      'prod',
      {
        searchDomainEndpoint: 'https://search.example.com',
        searchDomainArn: 'arn:aws:es:eu-west-1:111122223333:domain/stays',
      },
    ],
    ['local', { searchDomainEndpoint: 'http://127.0.0.1:9200' }],
  ] as const)(
    'passes the AwsSolutions rules in stage %s with the index on a domain, %j',
    (stage, context) => {
      expect(synthesize(stage, { search: 'domain', ...context }).violations).toEqual([]);
    },
  );

  it('passes the AwsSolutions rules with stand-ins for the providers', () => {
    const context = { providerStubs: 'http://127.0.0.1:4600', smtpStub: '127.0.0.1:4601' };
    expect(synthesize('local', context).violations).toEqual([]);
  });

  it('is not synthesized when it breaks a rule', () => {
    const app = new App({ outdir: temporaryDirectory() });
    new UserPool(new Stack(app, 'Careless'), 'UserPool');
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).toThrow('AwsSolutions-COG1');
  });

  it.each(STAGES)('synthesizes to the same bytes every time in stage %s', (stage) => {
    expect(templatesOf(synthesize(stage).directory)).toEqual(templatesOf(synthesize(stage).directory));
  });

  it('defines exactly the functions that have a folder', () => {
    const folder = path.resolve(import.meta.dirname, '../../../functions');
    if (!existsSync(folder)) return;
    const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => name).sort()).toEqual([...FUNCTION_NAMES].sort());
  });

  it('names no physical resource, so that stages and replacements never collide', () => {
    const { template } = synthesize('prod');
    for (const stack of STACK_NAMES) {
      for (const { Properties = {} } of Object.values(template(stack).toJSON().Resources) as Resource[]) {
        for (const name of [
          'TableName',
          'FunctionName',
          'RoleName',
          'LogGroupName',
          'TopicName',
          'UserPoolName',
          'QueueName',
          'BucketName',
        ]) {
          if (typeof Properties[name] === 'string') expect.fail(`${stack} fixes ${name} ${Properties[name]}`);
        }
      }
    }
  });

  it('keeps apart what must outlive a deployment of code', () => {
    const { template } = synthesize('prod');
    const types = Object.values(template('Data').toJSON().Resources as Record<string, Resource>).map(
      (it) => it.Type,
    );
    expect([...new Set(types)].sort()).toEqual([
      'AWS::DynamoDB::GlobalTable',
      'AWS::S3::Bucket',
      'AWS::S3::BucketPolicy',
      'AWS::SecretsManager::Secret',
    ]);
  });

  it('has no stack near the limits of CloudFormation, 500 resources and 200 outputs', () => {
    const { template } = synthesize('prod', EVERYTHING);
    for (const stack of STACK_NAMES) {
      const { Resources, Outputs = {} } = template(stack).toJSON();
      expect(Object.keys(Resources).length).toBeLessThan(400);
      expect(Object.keys(Outputs).length).toBeLessThan(160);
    }
  });

  it('needs no bootstrapped account in stage local', () => {
    const { template } = synthesize('local');
    for (const stack of LOCAL_STACK_NAMES) expect(template(stack).toJSON().Rules).toBeUndefined();
  });
});

interface Resource {
  readonly Type: string;
  readonly Properties?: Record<string, unknown>;
}

function templatesOf(directory: string): Record<string, string> {
  const files = readdirSync(directory).filter(
    (file) => file.endsWith('.template.json') || file === 'manifest.json',
  );
  return Object.fromEntries(files.map((file) => [file, readFileSync(path.join(directory, file), 'utf8')]));
}

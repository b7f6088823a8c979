import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { FUNCTION_NAMES } from '../lib/functions.ts';
import { readAssembly } from '../local/assembly.ts';
import { zipDirectory } from '../local/assets.ts';
import { synthesize, temporaryDirectory } from './synthesize.ts';

const ENVIRONMENT = { account: '000000000000', region: 'us-east-1' };

describe('the assembly', () => {
  it('is read with the order of the stacks', async () => {
    const { stacks } = await readAssembly(synthesize('local').directory, ENVIRONMENT);
    const dependencies = Object.fromEntries(
      stacks.map(({ name, dependencies }) => [name, [...dependencies].sort()]),
    );
    expect(dependencies).toMatchObject({
      'Flashsale-local-Data': [],
      'Flashsale-local-Identity': [],
      'Flashsale-local-Coupon': [
        'Flashsale-local-Config',
        'Flashsale-local-Data',
        'Flashsale-local-Messaging',
      ],
      'Flashsale-local-Api': [
        'Flashsale-local-Coupon',
        'Flashsale-local-Identity',
        'Flashsale-local-Marketing',
        'Flashsale-local-Messaging',
        'Flashsale-local-Notification',
        'Flashsale-local-Search',
      ],
      'Flashsale-local-SearchIndex': [],
      'Flashsale-local-Search': [
        'Flashsale-local-Config',
        'Flashsale-local-Data',
        'Flashsale-local-Messaging',
      ],
      'Flashsale-local-Notification': [
        'Flashsale-local-Config',
        'Flashsale-local-Data',
        'Flashsale-local-Identity',
        'Flashsale-local-Messaging',
      ],
    });
  });

  it('is read with its templates among the assets, for they are too big to travel with a request', async () => {
    const { stacks, assets } = await readAssembly(synthesize('local').directory, ENVIRONMENT);
    for (const { name, templateLocation } of stacks) {
      expect(assets).toContainEqual(
        expect.objectContaining({ ...templateLocation, packaging: 'file', name: `${name} Template` }),
      );
    }
  });

  it('is read with its zip assets once each, at the place the templates refer to', async () => {
    const { assets: all } = await readAssembly(synthesize('local').directory, ENVIRONMENT);
    const assets = all.filter(({ packaging }) => packaging === 'zip');
    expect(new Set(assets.map(({ key }) => key)).size).toBe(FUNCTION_NAMES.length);
    for (const { bucket, key } of assets) {
      expect(bucket).toBe('cdk-hnb659fds-assets-000000000000-us-east-1');
      expect(key).toMatch(/^[0-9a-f]{64}\.zip$/);
    }
  });
});

describe('a zip file', () => {
  function bundle(): string {
    const directory = temporaryDirectory();
    writeFileSync(path.join(directory, 'bootstrap'), '#!/bin/sh\n');
    chmodSync(path.join(directory, 'bootstrap'), 0o755);
    mkdirSync(path.join(directory, 'data'));
    writeFileSync(path.join(directory, 'data', 'file.txt'), 'text');
    return directory;
  }

  it('has the same bytes for the same content', async () => {
    expect(await zipDirectory(bundle())).toEqual(await zipDirectory(bundle()));
  });

  it('holds every file under its path', async () => {
    expect(Object.keys(unzipSync(await zipDirectory(bundle()))).sort()).toEqual([
      'bootstrap',
      'data/file.txt',
    ]);
  });

  it('keeps bootstrap executable', async () => {
    const zip = Buffer.from(await zipDirectory(bundle()));
    // PKWARE APPNOTE 4.3.12: a central directory header has the external attributes at offset 38, the name at 46.
    const header = zip.indexOf(Buffer.from('PK\u0001\u0002'));
    expect(zip.subarray(header + 46, header + 55).toString()).toBe('bootstrap');
    expect((zip.readUInt32LE(header + 38) >>> 16) & 0o777).toBe(0o755);
  });
});

describe('the command', () => {
  const deploy = (...args: string[]) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'local/deploy.ts', ...args], {
      cwd: path.resolve(import.meta.dirname, '..'),
      encoding: 'utf8',
    });

  it.each([
    'https://cloudformation.us-east-1.amazonaws.com',
    'http://127.0.0.1.example.com',
    'http://192.0.2.1',
    'nonsense',
  ])('refuses %s: it deploys to this machine only', (endpoint) => {
    const { status, stderr } = deploy(
      '--endpoint',
      endpoint,
      '--assembly',
      'cdk.out',
      '--outputs',
      'out.json',
    );
    expect(status).toBe(1);
    expect(stderr).toContain('--endpoint must be on this machine');
  });

  it('says what is missing when nothing was synthesized', () => {
    const { status, stderr } = deploy(
      ...['--endpoint', 'http://127.0.0.1:1', '--assembly', path.join(tmpdir(), 'flashsale-none')],
      ...['--outputs', 'out.json'],
    );
    expect(status).toBe(1);
    expect(stderr).toContain('synthesize first');
  });

  it('says so when nothing answers', () => {
    const { directory } = synthesize('local');
    const { status, stderr } = deploy(
      ...['--endpoint', 'http://127.0.0.1:1', '--assembly', directory, '--outputs', 'out.json'],
    );
    expect(status).toBe(1);
    expect(stderr).toContain('start the local AWS first');
  });
});

import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { CreateBucketCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type Zippable, zipSync } from 'fflate';
import type { Asset, Location } from './assembly.ts';

/** Uploads what is not there yet; the key of an asset is the hash of its content. */
export async function uploadAssets(
  s3: S3Client,
  assets: readonly Asset[],
  report: (line: string) => void,
): Promise<void> {
  const missing: Asset[] = [];
  for (const asset of assets) {
    if (!(await exists(s3, asset))) missing.push(asset);
  }
  for (const bucket of new Set(missing.map((asset) => asset.bucket))) await ensureBucket(s3, bucket);
  for (const asset of missing) {
    const body = await (asset.packaging === 'zip' ? zipDirectory(asset.path) : readFile(asset.path));
    await s3.send(new PutObjectCommand({ Bucket: asset.bucket, Key: asset.key, Body: body }));
    report(`${asset.name}: uploaded, ${(body.length / 1e6).toFixed(1)} MB`);
  }
  if (missing.length < assets.length) report(`assets: ${assets.length - missing.length} already there`);
}

/**
 * Equal directories give equal bytes. Stored, not compressed: the way to a server on the same machine is short, and
 * compressing a debug build takes longer than sending it.
 */
export async function zipDirectory(directory: string): Promise<Uint8Array> {
  const entries: Zippable = {};
  const names = await readdir(directory, { recursive: true });
  for (const name of names.sort()) {
    const file = path.join(directory, name);
    const { mode } = await stat(file).then((it) => (it.isFile() ? it : { mode: undefined }));
    if (mode === undefined) continue;
    entries[name.split(path.sep).join('/')] = [
      await readFile(file),
      // Unix permissions; `bootstrap` must stay executable.
      { os: 3, attrs: ((mode & 0o777) | 0o444) * 0x1_0000, mtime: new Date(1980, 0, 1), level: 0 },
    ];
  }
  return zipSync(entries);
}

async function exists(s3: S3Client, { bucket, key }: Location): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}

async function ensureBucket(s3: S3Client, bucket: string): Promise<void> {
  try {
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (statusOf(error) !== 409) throw error;
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

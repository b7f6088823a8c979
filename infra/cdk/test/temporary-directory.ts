import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** All that the tests and the CDK write to the temporary directory goes away with the run. */
export default function setup(): () => void {
  const directory = mkdtempSync(path.join(tmpdir(), 'flashsale-tests-'));
  process.env.TMPDIR = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}

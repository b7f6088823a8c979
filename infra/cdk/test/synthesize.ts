import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import cdkJson from '../cdk.json' with { type: 'json' };
import type { Stage } from '../lib/config.ts';
import { addFlashsale } from '../lib/flashsale.ts';
import { FUNCTION_NAMES, type FunctionName } from '../lib/functions.ts';

export const STACK_NAMES = [
  'Data',
  'Identity',
  'Messaging',
  'Config',
  'Coupon',
  'Marketing',
  'Notification',
  'SearchIndex',
  'Search',
  'Api',
  'Observability',
  'Web',
] as const;
export type StackName = (typeof STACK_NAMES)[number];

/** On this machine the page is served by others. */
export const LOCAL_STACK_NAMES = STACK_NAMES.filter((name) => name !== 'Web');

export const STACKS_OF_FUNCTIONS = [
  'Coupon',
  'Marketing',
  'Notification',
  'SearchIndex',
  'Search',
] as const satisfies StackName[];

export interface Violation {
  readonly ruleName: string;
  readonly violatingConstructs: readonly { readonly constructPath: string }[];
}

export interface Synthesized {
  readonly directory: string;
  readonly violations: readonly Violation[];
  template(stack: StackName): Template;
}

/** Stand-ins for the binaries: tests must not depend on a build of the functions. */
const BUNDLES = temporaryDirectory();
for (const name of FUNCTION_NAMES) {
  mkdirSync(path.join(BUNDLES, name));
  writeFileSync(path.join(BUNDLES, name, 'bootstrap'), `#!/bin/sh\n# ${name}\n`);
}

export function temporaryDirectory(): string {
  return mkdtempSync(path.join(tmpdir(), 'flashsale-cdk-'));
}

/** The app as the CLI would synthesize it, with the context of `cdk.json` and the given one. */
export function synthesize(stage: Stage, context: Record<string, string> = {}): Synthesized {
  const directory = temporaryDirectory();
  const app = new App({
    outdir: directory,
    analyticsReporting: cdkJson.versionReporting,
    context: { ...cdkJson.context, bundles: BUNDLES, stage, ...context },
  });
  addFlashsale(app);
  const assembly = app.synth();
  return {
    directory,
    violations: readViolations(directory),
    template: (stack) => Template.fromJSON(assembly.getStackByName(`Flashsale-${stage}-${stack}`).template),
  };
}

/** What the CDK calls the function `claim-coupon`, `ClaimCoupon`, without the hash at the end. */
export function logicalIdOf(name: FunctionName): string {
  return name.replaceAll(/(^|-)(\w)/g, (_, _dash, letter: string) => letter.toUpperCase());
}

/** What the rules and our own annotations found; errors fail the synthesis before this. */
function readViolations(directory: string): Violation[] {
  const file = path.join(directory, 'validation-report.json');
  if (!existsSync(file)) return [];
  const { pluginReports } = JSON.parse(readFileSync(file, 'utf8')) as {
    pluginReports: { violations: Violation[] }[];
  };
  return pluginReports.flatMap(({ violations }) => violations);
}

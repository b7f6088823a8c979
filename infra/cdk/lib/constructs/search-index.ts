import type { Stack } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { FunctionNetwork, RustFunction } from './rust-function.ts';

/** A service that functions call, by the name that its SDK has for it in the environment. */
export type Called = 'SQS' | 'APPCONFIGDATA';

/** Where homestays are found, as the functions see it. */
export interface SearchIndex {
  /** `SEARCH_INDEX`, which says where it is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where a function must be to reach it; missing if it is reached from anywhere. */
  readonly network?: FunctionNetwork;
  /** What a function of `stack` that is there must know to call these services. */
  waysTo(stack: Stack, ...services: Called[]): Record<string, string>;
  allowReading(): PolicyStatement[];
  /** Also to make generations, switch between them and drop them. */
  allowWriting(): PolicyStatement[];
  /** Gives the reason for wildcards in these permissions. */
  acknowledge(fn: RustFunction): void;
}

/** Where the index is called by its place alone: a folder of this machine, or what asks for no signature. */
export class PlainIndex implements SearchIndex {
  readonly environment;

  /** Without a location, functions inherit one. */
  constructor(location?: string) {
    this.environment = { ...(location && { SEARCH_INDEX: location }) };
  }

  waysTo(): Record<string, string> {
    return {};
  }

  allowReading(): PolicyStatement[] {
    return [];
  }

  allowWriting(): PolicyStatement[] {
    return [];
  }

  acknowledge(): void {}
}

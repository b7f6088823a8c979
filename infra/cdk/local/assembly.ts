import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** A synthesized cloud assembly, as far as a deployment needs it. */
export interface Assembly {
  readonly stacks: readonly StackArtifact[];
  readonly assets: readonly Asset[];
}

export interface StackArtifact {
  readonly name: string;
  readonly template: Template;
  /** Where the template is uploaded to, as an asset; most are too big to travel with a request. */
  readonly templateLocation: Location;
  /** Names of the stacks that must be there first. */
  readonly dependencies: readonly string[];
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
}

export interface TemplateResource {
  readonly Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape depends on the type of the resource.
  readonly Properties?: any;
}

export interface Location {
  readonly bucket: string;
  readonly key: string;
}

/** A file, or a directory that is uploaded as a zip file. */
export interface Asset extends Location {
  readonly name: string;
  readonly path: string;
  readonly packaging: 'file' | 'zip';
}

export interface Environment {
  readonly account: string;
  readonly region: string;
}

interface Manifest {
  readonly artifacts: Record<
    string,
    {
      readonly type: string;
      readonly dependencies?: string[];
      readonly properties?: {
        readonly templateFile?: string;
        readonly file?: string;
        readonly stackName?: string;
        readonly stackTemplateAssetObjectUrl?: string;
      };
    }
  >;
}

interface AssetManifest {
  readonly files: Record<
    string,
    {
      readonly displayName?: string;
      readonly source: { readonly path: string; readonly packaging: Asset['packaging'] };
      readonly destinations: Record<string, { readonly bucketName: string; readonly objectKey: string }>;
    }
  >;
}

const STACK = 'aws:cloudformation:stack';
const ASSETS = 'cdk:asset-manifest';

export async function readAssembly(directory: string, environment: Environment): Promise<Assembly> {
  const { artifacts } = await readJson<Manifest>(path.join(directory, 'manifest.json'));
  const entries = Object.entries(artifacts);
  const stackNames = new Map(
    entries.filter(([, it]) => it.type === STACK).map(([id, it]) => [id, it.properties?.stackName ?? id]),
  );
  const stacks = entries
    .filter(([id]) => stackNames.has(id))
    .map(async ([id, artifact]): Promise<StackArtifact> => {
      const file = path.join(directory, artifact.properties?.templateFile ?? '');
      const template = await readJson<Template>(file);
      const dependencies = (artifact.dependencies ?? []).flatMap(
        (dependency) => stackNames.get(dependency) ?? [],
      );
      return {
        name: stackNames.get(id) ?? id,
        template,
        templateLocation: locate(artifact.properties?.stackTemplateAssetObjectUrl ?? '', environment),
        dependencies,
      };
    });
  const assets = entries
    .filter(([, it]) => it.type === ASSETS)
    .map(([, it]) => readAssets(directory, it.properties?.file ?? '', environment));
  const [stackArtifacts, uploads] = await Promise.all([Promise.all(stacks), Promise.all(assets)]);
  return { stacks: stackArtifacts, assets: unique(uploads.flat()) };
}

async function readAssets(directory: string, file: string, environment: Environment): Promise<Asset[]> {
  const { files } = await readJson<AssetManifest>(path.join(directory, file));
  return Object.values(files).flatMap(({ displayName, source, destinations }) =>
    Object.values(destinations).map((destination) => ({
      name: displayName ?? destination.objectKey,
      path: path.join(directory, source.path),
      packaging: source.packaging,
      bucket: resolve(destination.bucketName, environment),
      key: resolve(destination.objectKey, environment),
    })),
  );
}

/** Of a URL like `s3://bucket/key`. */
function locate(url: string, environment: Environment): Location {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/.exec(resolve(url, environment)) ?? [];
  return { bucket, key };
}

/** Fills in pseudo parameters, as in `bucket-${AWS::Region}`. */
function resolve(text: string, { account, region }: Environment): string {
  const values: Record<string, string> = { AccountId: account, Region: region, Partition: 'aws' };
  return text.replace(/\$\{AWS::(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

function unique(assets: Asset[]): Asset[] {
  return [...new Map(assets.map((asset) => [`${asset.bucket}/${asset.key}`, asset])).values()];
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T;
}

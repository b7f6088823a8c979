import { readFile } from 'node:fs/promises';
import path from 'node:path';

/** A synthesized cloud assembly, as far as a deployment needs it. */
export interface Assembly {
  readonly stacks: readonly StackArtifact[];
  readonly assets: readonly ZipAsset[];
}

export interface StackArtifact {
  readonly name: string;
  readonly templateBody: string;
  readonly template: Template;
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

/** A directory that is uploaded as a zip file. */
export interface ZipAsset {
  readonly name: string;
  readonly directory: string;
  readonly bucket: string;
  readonly key: string;
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
      };
    }
  >;
}

interface AssetManifest {
  readonly files: Record<
    string,
    {
      readonly displayName?: string;
      readonly source: { readonly path?: string; readonly packaging?: string };
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
        templateBody: JSON.stringify(template),
        dependencies,
      };
    });
  const assets = entries
    .filter(([, it]) => it.type === ASSETS)
    .map(([, it]) => readZipAssets(directory, it.properties?.file ?? '', environment));
  const [stackArtifacts, zipAssets] = await Promise.all([Promise.all(stacks), Promise.all(assets)]);
  return { stacks: stackArtifacts, assets: unique(zipAssets.flat()) };
}

/** Templates are assets too, of the packaging `file`; they travel with the request instead. */
async function readZipAssets(directory: string, file: string, environment: Environment): Promise<ZipAsset[]> {
  const { files } = await readJson<AssetManifest>(path.join(directory, file));
  return Object.values(files)
    .filter(({ source }) => source.packaging === 'zip')
    .flatMap(({ displayName, source, destinations }) =>
      Object.values(destinations).map((destination) => ({
        name: displayName ?? destination.objectKey,
        directory: path.join(directory, source.path ?? ''),
        bucket: resolve(destination.bucketName, environment),
        key: resolve(destination.objectKey, environment),
      })),
    );
}

/** Fills in pseudo parameters, as in `bucket-${AWS::Region}`. */
function resolve(text: string, { account, region }: Environment): string {
  const values: Record<string, string> = { AccountId: account, Region: region, Partition: 'aws' };
  return text.replace(/\$\{AWS::(\w+)\}/g, (placeholder, name: string) => values[name] ?? placeholder);
}

function unique(assets: ZipAsset[]): ZipAsset[] {
  return [...new Map(assets.map((asset) => [`${asset.bucket}/${asset.key}`, asset])).values()];
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8')) as T;
}

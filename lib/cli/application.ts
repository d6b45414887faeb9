import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer, NestFactory } from '@nestjs/core';
import { className } from '../foreign/class-name.js';
import { isA } from '../foreign/foreign-error.js';
import type { ClusterCronMetadata } from '../handlers/decorators/cluster-cron.decorator.js';
import { HandlerExplorer } from '../handlers/handler.explorer.js';
import type { EtcdTriggerOptions } from '../module/etcd-trigger.options.js';
import { ETCD_TRIGGER_OPTIONS } from '../module/etcd-trigger.providers.js';
import { ClusterMarker, clustersOf, definitionsOf } from '../module/module-graph.js';
import type { ConfigDefinition } from '../store/definitions/config-definition.js';
import { CliError } from './cli.error.js';

/** The part of an application that commands need. */
export interface ApplicationDefinitions {
  readonly cluster: string;
  readonly definitions: readonly ConfigDefinition[];
  /** Options of `forRoot`; `undefined` if a factory returns them, which is not called. */
  readonly options: EtcdTriggerOptions | undefined;
  /** The cron jobs of the cluster, by name. */
  readonly crons: ReadonlyMap<
    string,
    Pick<ClusterCronMetadata, 'expression'> & { readonly timeZone: string | undefined }
  >;
}

/**
 * Reads the definitions of an application. Nest builds the module graph in its preview mode: no provider is created and
 * no connection is opened. Definitions that a factory returns are unknown then; those in `configs` beside it are not.
 *
 * @throws CliError if the file has no module, or the module does not import this package
 */
export async function readApplication(
  file: string,
  directory: string,
  cluster: string | undefined,
): Promise<ApplicationDefinitions> {
  const root = rootModuleOf(await load(resolve(directory, file), file), file);
  const app = await NestFactory.createApplicationContext(root, { preview: true, logger: false, abortOnError: false });
  try {
    const container = app.get(ModulesContainer, { strict: false });
    const discovery = new DiscoveryService(container);
    const clusters = [...clustersOf(discovery)];
    const name = cluster ?? (clusters.length === 1 ? clusters[0] : 'default');
    if (name === undefined || !clusters.includes(name)) {
      const known =
        clusters.length === 0 ? 'it imports no EtcdTriggerModule' : `its clusters are ${clusters.join(', ')}`;
      throw new CliError(`${file} has no cluster "${name ?? ''}": ${known}`);
    }
    return {
      cluster: name,
      definitions: definitionsOf(discovery, name),
      options: optionsOf(container, name),
      crons: cronsOf(discovery, name),
    };
  } finally {
    await app.close();
  }
}

async function load(path: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new CliError(`${file} cannot be loaded: ${error instanceof Error ? error.message : 'it throws no error'}`);
  }
}

/** The default export, `AppModule`, or the only class whose name ends with `Module`. */
function rootModuleOf(loaded: Readonly<Record<string, unknown>>, file: string): Type<object> {
  // A CommonJS file has its exports in `default`.
  const { default: main } = loaded;
  const exported = typeof main === 'object' && main !== null ? (main as Record<string, unknown>) : loaded;
  const modules = Object.values(exported).filter(
    (value): value is Type<object> =>
      typeof value === 'function' && ['imports', 'providers'].some((part) => Reflect.hasMetadata(part, value)),
  );
  const [only, other] = modules;
  const named = modules.find((module) => className(module) === 'AppModule' || module === main);
  const root = named ?? (other ? undefined : only);
  if (root) return root;
  throw new CliError(
    only
      ? `${file} exports several modules: export the root module as AppModule or as default`
      : `${file} exports no module: give the compiled file of the root module, such as dist/app.module.js`,
  );
}

function optionsOf(container: ModulesContainer, cluster: string): EtcdTriggerOptions | undefined {
  for (const { providers } of container.values()) {
    const isCluster = [...providers.values()].some(
      ({ instance }) => isA(instance, ClusterMarker) && instance.cluster === cluster,
    );
    if (isCluster) return (providers.get(ETCD_TRIGGER_OPTIONS)?.instance as EtcdTriggerOptions | null) ?? undefined;
  }
  return undefined;
}

function cronsOf(discovery: DiscoveryService, cluster: string): ApplicationDefinitions['crons'] {
  const methods = new HandlerExplorer(discovery, new MetadataScanner()).explore();
  return new Map(
    methods
      .flatMap(({ clusterCrons }) => clusterCrons)
      .filter(({ options }) => (options.cluster ?? 'default') === cluster)
      .map(({ expression, options }) => [options.name, { expression, timeZone: options.timeZone }]),
  );
}

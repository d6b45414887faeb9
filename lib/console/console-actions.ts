import { Injectable } from '@nestjs/common';
import { GroupRegistry } from '../coordination/groups/group-registry.js';
import { quoted } from '../foreign/foreign-text.js';
import type { ClusterRuntime } from '../module/cluster.runtime.js';
import { ConsoleClusters } from './console-clusters.js';
import { ConsoleEntries, type EntryCondition, type EntryPlace } from './console-entries.js';
import { ConsoleError } from './console-error.js';
import type { ConsoleExchange } from './console-exchange.js';
import { optionalTextIn, revisionIn, textIn } from './console-requests.js';
import { ConsoleState } from './console-state.js';
import type { WriteRequest } from './write-request.js';

/** Reads the arguments of requests, and does what they ask for. */
@Injectable()
export class ConsoleActions {
  constructor(
    private readonly clusters: ConsoleClusters,
    private readonly entries: ConsoleEntries,
    private readonly state: ConsoleState,
  ) {}

  check({ body }: WriteRequest): Promise<object> {
    return this.entries.check(this.#placeIn(body), body);
  }

  put(write: WriteRequest): Promise<object> {
    return this.entries.put(this.#placeIn(write.body), write.body, conditionIn(write, 0));
  }

  delete(write: WriteRequest): Promise<object> {
    return this.entries.delete(this.#placeIn(write.body), conditionIn(write, 1));
  }

  rollback(write: WriteRequest): Promise<object> {
    const revision = revisionIn(write.body, 'revision', 1);
    return this.entries.rollback(this.#placeIn(write.body), revision, conditionIn(write, 0));
  }

  /** Pauses or resumes the handlers with a name. */
  handlers({ body }: WriteRequest): object {
    const cluster = this.clusters.named(optionalTextIn(body, 'cluster'));
    const name = textIn(body, 'name');
    const action = textIn(body, 'action');
    if (action !== 'pause' && action !== 'resume') throw new ConsoleError(400, '"action" must be "pause" or "resume"');
    const found = cluster.registry.list().filter((handler) => handler.name === name);
    if (found.length === 0) throw new ConsoleError(404, `there is no handler ${quoted(name)}`);
    for (const handler of found) handler[action]();
    return this.state.handlers(cluster).find((handler) => handler.name === name) ?? {};
  }

  async redrive({ body }: WriteRequest): Promise<object> {
    const groups = groupsOf(this.clusters.named(optionalTextIn(body, 'cluster')));
    return { redriven: await groups.redrive(textIn(body, 'group')) };
  }

  async parked(exchange: ConsoleExchange): Promise<object> {
    const group = exchange.query('group');
    if (group === undefined) throw new ConsoleError(400, '"group" is missing');
    return { events: await groupsOf(this.clusters.named(exchange.query('cluster'))).parked(group) };
  }

  async audit(exchange: ConsoleExchange): Promise<object> {
    const cluster = this.clusters.named(exchange.query('cluster'));
    const key = exchange.query('key');
    if (key === undefined) throw new ConsoleError(400, '"key" is missing');
    if (!cluster.options.audit) {
      throw new ConsoleError(404, 'there is no audit trail: set the option "audit" of EtcdTriggerModule');
    }
    const { governed } = this.entries.placeOf(cluster.name, key, undefined);
    const limit = exchange.integer('limit', 50, 1, 500);
    return { records: await this.clusters.store(cluster).audit(governed.key, { limit }) };
  }

  #placeIn(body: WriteRequest['body']): EntryPlace {
    return this.entries.placeOf(optionalTextIn(body, 'cluster'), textIn(body, 'key'), optionalTextIn(body, 'layer'));
  }
}

function conditionIn({ body, author }: WriteRequest, min: number): EntryCondition {
  return { ifRevision: revisionIn(body, 'ifRevision', min), author, reason: optionalTextIn(body, 'reason') };
}

function groupsOf({ coordination, name }: ClusterRuntime): GroupRegistry {
  if (coordination) return new GroupRegistry(coordination.groups, name);
  throw new ConsoleError(404, 'there are no handler groups: set the option "coordination" of EtcdTriggerModule');
}

import type { TrialName } from './trials.js';

/** One rule of the watch stream, broken by one line. */
export interface Sabotage {
  /** Number and name of the rule. */
  readonly rule: string;
  readonly name: string;
  /** Below lib/. */
  readonly file: string;
  /** Occurs once. */
  readonly line: string;
  readonly instead: string;
  /** The part of the short run that meets it. */
  readonly trial: TrialName;
}

/** Each must make the short run fail; one that survives says that the laboratory is too weak. */
export const SABOTAGES: readonly Sabotage[] = [
  {
    rule: '1 cursor',
    name: 'cursor from the header of the acceptance',
    file: 'watch/stream/reflector.ts',
    line: 'this.#sink.following();',
    instead: 'this.#sink.following(); cache.bookmark(header.revision);',
    trial: 'broken links and members',
  },
  {
    rule: '1 cursor',
    name: 'nothing dropped below the cursor',
    file: 'watch/stream/revision-flow.ts',
    line: 'if (!this.#consumer.wants(update.revision)) continue;',
    instead: '',
    trial: 'a member that is awkward',
  },
  {
    rule: '2 message size',
    name: 'fragment released early',
    file: 'watch/stream/revision-flow.ts',
    line: 'this.#pending = (fragment ? updates.pop()?.changes : undefined) ?? [];',
    instead: 'this.#pending = (fragment ? undefined : undefined) ?? [];',
    trial: 'broken links and members',
  },
  {
    rule: '2 message size',
    name: 'a message that is too large is asked for again as it was',
    file: 'watch/stream/reflector.ts',
    line: 'this.#fragment = true;',
    instead: '',
    trial: 'broken links and members',
  },
  {
    rule: '3 compaction',
    name: 'what is gone is left out of the difference',
    file: 'watch/stream/range-cache.ts',
    line: 'if (!records.has(rawKey)) changes.push({ rawKey, value: undefined, revision });',
    instead: '',
    trial: 'history that is lost',
  },
  {
    rule: '3 compaction',
    name: 'code 11 always means compacted',
    file: 'etcd/connection/etcd-errors.ts',
    line: `if (code === OUT_OF_RANGE && details.includes('has been compacted'))`,
    instead: 'if (code === OUT_OF_RANGE)',
    trial: 'history that is lost',
  },
  {
    rule: '4 another past',
    name: 'no comparison after a reconnect',
    file: 'watch/stream/history-check.ts',
    line: `return cache.matches(stamps) ? undefined : 'restored';`,
    instead: 'void stamps; return undefined;',
    trial: 'history that is lost',
  },
  {
    rule: '4 another past',
    name: 'a member that lags is taken for a store that went back',
    file: 'watch/stream/history-check.ts',
    line: 'await stream.stampsAt(known, { linearizable: isBehind })',
    instead: 'await stream.stampsAt(known, { linearizable: false })',
    trial: 'broken links and members',
  },
  {
    rule: '5 one stream per target',
    name: 'a stream for each listener',
    file: 'watch/sharing/shared-ranges.ts',
    line: 'let entry = this.#ranges.get(range.identity);',
    instead: 'let entry = this.#ranges.get(`${range.identity} ${Math.random()}`);',
    trial: 'a member that is awkward',
  },
  {
    rule: '6 progress',
    name: 'an answer to a progress request is a bookmark',
    file: 'etcd/etcd-watch-stream.ts',
    line: '} else if (response.watchId === this.#watchId) {',
    instead: '} else {',
    trial: 'a member that is awkward',
  },
  {
    rule: '7 liveness',
    name: 'no limit until a watch is accepted',
    file: 'etcd/connection/member.ts',
    line: 'export const CONNECT_LIMIT_MS = 3_000;',
    instead: 'export const CONNECT_LIMIT_MS = 3_000_000;',
    trial: 'silence and lost answers',
  },
  {
    rule: '8 errors',
    name: 'token never renewed',
    file: 'etcd/connection/shared-token.ts',
    line: 'if (this.#issued && this.#issued.token === token) this.#forget();',
    instead: 'void token;',
    trial: 'tokens and certificates that expire',
  },
  {
    rule: '9 cancelling',
    name: 'a stream that is over is not cancelled',
    file: 'etcd/etcd-watch-stream.ts',
    line: 'this.#call?.cancel();',
    instead: '',
    trial: 'silence and lost answers',
  },
  {
    rule: '10 back-pressure',
    name: 'there is always room',
    file: 'watch/delivery/delivery-queue.ts',
    line: 'const isAccepted = this.#waiting === 0 || this.#waiting + weight <= this.#delivery.bound;',
    instead: 'const isAccepted = weight >= 0;',
    trial: 'silence and lost answers',
  },
  {
    rule: '10 back-pressure',
    name: 'a slow listener without a memory of its own',
    file: 'watch/sharing/shared-range.ts',
    line: '{ cache: cache.copy() }',
    instead: '{ cache }',
    trial: 'silence and lost answers',
  },
  {
    rule: '11 writes',
    name: 'a write is sent again',
    file: 'etcd/etcd-key-value.ts',
    line: 'idempotent: false,',
    instead: 'idempotent: true,',
    trial: 'silence and lost answers',
  },
  {
    rule: '12 server limits',
    name: 'what is too large is sent all the same',
    file: 'etcd/etcd-key-value.ts',
    line: 'checkLimits(transaction, this.#prefix.length);',
    instead: '',
    trial: 'silence and lost answers',
  },
];

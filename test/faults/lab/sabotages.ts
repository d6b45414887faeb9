import type { ShortRunName } from './short-runs.js';

/** A changed line of lib. */
export interface Replacement {
  /** Path in lib/. */
  readonly file: string;
  /** Original text. It occurs once in the file. */
  readonly line: string;
  readonly instead: string;
}

/** One changed line that breaks a rule of the watch protocol. */
export interface Sabotage extends Replacement {
  /** Number and name of the broken rule. */
  readonly rule: string;
  readonly name: string;
  /** A second line, for a rule that two independent mechanisms ensure. */
  readonly also?: Replacement;
  /** Short run that detects the sabotage. */
  readonly run: ShortRunName;
}

/** Returns all lines that a sabotage changes. */
export const replacementsOf = (sabotage: Sabotage): readonly Replacement[] =>
  sabotage.also ? [sabotage, sabotage.also] : [sabotage];

/** Each sabotage must make its short run fail. If one does not, the laboratory's checks are too weak. */
export const SABOTAGES: readonly Sabotage[] = [
  {
    rule: '1 cursor',
    name: 'the cursor is taken from the header of the created response',
    file: 'watch/stream/reflector.ts',
    line: 'this.#sink.following();',
    instead: 'this.#sink.following(); cache.bookmark(header.revision);',
    run: 'broken links and members',
  },
  {
    rule: '1 cursor',
    name: 'events below the cursor are not dropped',
    file: 'watch/stream/revision-flow.ts',
    line: 'if (!this.#consumer.wants(update.revision)) continue;',
    instead: '',
    run: 'protocol edge cases',
  },
  {
    rule: '2 message size',
    name: 'a fragment is delivered before the rest of its revision',
    file: 'watch/stream/revision-flow.ts',
    line: 'this.#pending = (fragment ? updates.pop()?.changes : undefined) ?? [];',
    instead: 'this.#pending = (fragment ? undefined : undefined) ?? [];',
    run: 'broken links and members',
  },
  {
    rule: '2 message size',
    name: 'a message that is too large is requested again unfragmented',
    file: 'watch/stream/reflector.ts',
    line: 'this.#fragment = true;',
    instead: '',
    run: 'broken links and members',
  },
  {
    rule: '3 compaction',
    name: 'a resync omits deleted keys',
    file: 'watch/stream/range-cache.ts',
    line: 'if (!records.has(rawKey)) changes.push({ rawKey, value: undefined, revision });',
    instead: '',
    run: 'lost history',
  },
  {
    rule: '3 compaction',
    name: 'status code 11 always counts as compacted',
    file: 'etcd/connection/etcd-errors.ts',
    line: `if (code === OUT_OF_RANGE && details.includes('has been compacted'))`,
    instead: 'if (code === OUT_OF_RANGE)',
    run: 'lost history',
  },
  {
    rule: '4 replaced store',
    name: 'the store is not compared after a reconnect',
    file: 'watch/stream/history-check.ts',
    line: `return cache.matches(stamps) ? undefined : 'restored';`,
    instead: 'void stamps; return undefined;',
    run: 'lost history',
  },
  {
    rule: '4 replaced store',
    name: 'a lagging member counts as a restored store',
    file: 'watch/stream/history-check.ts',
    line: 'await stream.stampsAt(known, { linearizable: isBehind })',
    instead: 'await stream.stampsAt(known, { linearizable: false })',
    run: 'broken links and members',
  },
  {
    rule: '5 one stream per target',
    name: 'each listener opens a stream',
    file: 'watch/sharing/shared-ranges.ts',
    line: 'let entry = this.#ranges.get(range.identity);',
    instead: 'let entry = this.#ranges.get(`${range.identity} ${Math.random()}`);',
    run: 'protocol edge cases',
  },
  {
    rule: '6 progress',
    name: 'an unexpected response to a progress request counts as a bookmark',
    file: 'etcd/watch/watch-grpc-stream.ts',
    line: '} else if (this.#isProgressRequested) {',
    instead: '} else {',
    run: 'protocol edge cases',
  },
  {
    rule: '7 liveness',
    name: 'a silent connection is never noticed',
    file: 'etcd/transport/keep-alive.ts',
    line: 'if (this.#silentPeriods * lateMs >= timeoutMs || this.#periods * lateMs >= answerMs) this.#peer.onDead();',
    instead: 'if (lateMs + timeoutMs + answerMs < 0) this.#peer.onDead();',
    also: {
      file: 'etcd/connection/session-supervisor.ts',
      line: 'if (session !== this.#current || this.#suspicion) return;',
      instead: 'if (silentMs >= 0 && session) return;',
    },
    run: 'silent links and lost responses',
  },
  {
    rule: '8 errors',
    name: 'the token is never renewed',
    file: 'etcd/connection/shared-token.ts',
    line: 'if (this.#issued && this.#issued.token === token) this.#forget();',
    instead: 'void token;',
    run: 'expired tokens and certificates',
  },
  {
    rule: '9 cancelling',
    name: 'a finished watch is not cancelled',
    file: 'etcd/etcd-watch-stream.ts',
    line: 'this.#cancelWatch?.();',
    instead: '',
    run: 'silent links and lost responses',
  },
  {
    rule: '10 back-pressure',
    name: 'the queue is unbounded',
    file: 'watch/delivery/delivery-queue.ts',
    line: 'const isAccepted = this.#waiting === 0 || this.#waiting + weight <= this.#delivery.bound;',
    instead: 'const isAccepted = weight >= 0;',
    run: 'silent links and lost responses',
  },
  {
    rule: '10 back-pressure',
    name: 'a slow listener shares the cache of the others',
    file: 'watch/sharing/shared-range.ts',
    line: '        this.#startCatchUp(registration, { cache: cache.copy() });',
    instead: '        this.#startCatchUp(registration, { cache });',
    run: 'silent links and lost responses',
  },
  {
    rule: '11 writes',
    name: 'a write is retried',
    file: 'etcd/etcd-key-value.ts',
    line: 'isIdempotent: operations.length === 0,',
    instead: 'isIdempotent: true,',
    run: 'silent links and lost responses',
  },
  {
    rule: '12 server limits',
    name: 'an oversized write is sent',
    file: 'etcd/etcd-key-value.ts',
    line: 'checkLimits(transaction, this.#prefix.length, this.#limits);',
    instead: '',
    run: 'silent links and lost responses',
  },
];

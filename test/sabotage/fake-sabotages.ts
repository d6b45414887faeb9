/** A line of the fake and a plausible mistake in it. */
export interface Sabotage {
  /** Effect of the mistake, completing the sentence "a fake that ...". */
  readonly name: string;
  /** File in `lib/testing/fake`. */
  readonly file: string;
  readonly line: string;
  readonly broken: string;
}

export const FAKE_SABOTAGES: readonly Sabotage[] = [
  {
    name: 'does not count versions',
    file: 'fake-store.ts',
    line: '(before?.version ?? 0) + 1',
    broken: '1',
  },
  {
    name: 'treats every write as a creation',
    file: 'fake-store.ts',
    line: 'before?.createRevision ?? revision',
    broken: 'revision',
  },
  {
    name: 'adds a revision for a transaction without effect',
    file: 'fake-store.ts',
    line: 'if (changes.length > 0)',
    broken: 'if (operations.length > 0)',
  },
  {
    name: 'applies a transaction if only one of its conditions holds',
    file: 'fake-store.ts',
    line: 'return conditions.every(',
    broken: 'return conditions.length === 0 || conditions.some(',
  },
  {
    name: 'deletes absent keys',
    file: 'fake-store.ts',
    line: "operation.type === 'put' || this.#current.has(operation.rawKey)",
    broken: 'true',
  },
  {
    name: 'lists in the order of writing',
    file: 'fake-store.ts',
    line: '.sort((a, b) => (a.rawKey < b.rawKey ? -1 : 1))',
    broken: '',
  },
  {
    name: 'removes too much history when it compacts',
    file: 'fake-store.ts',
    line: 'this.#history = this.since(revision);',
    broken: 'this.#history = this.since(revision + 1);',
  },
  {
    name: 'does not copy its values',
    file: 'fake-store.ts',
    line: "value.length <= MAX_TEXT_BYTES ? value.toString('latin1') : Buffer.from(value)",
    broken: 'value',
  },
  {
    name: 'lists compacted revisions',
    file: 'fake-server.ts',
    line: 'if (revision < this.compacted)',
    broken: 'if (revision < 0)',
  },
  {
    name: 'lists future revisions',
    file: 'fake-server.ts',
    line: 'if (revision > this.revision)',
    broken: 'if (revision < 0)',
  },
  {
    name: 'treats a key as a prefix',
    file: 'fake-server.ts',
    line: "kind === 'key' ? key === rawKey : key.startsWith(rawKey)",
    broken: 'key.startsWith(rawKey)',
  },
  {
    name: 'writes a key twice in one transaction',
    file: 'fake-server.ts',
    line: 'if (isDuplicate)',
    broken: 'if (isDuplicate && rawKey === "")',
  },
  {
    name: 'attaches keys to leases that do not exist',
    file: 'fake-server.ts',
    line: 'this.leases.has(lease)',
    broken: "lease !== ''",
  },
  {
    name: 'keeps watches when their connection is cut',
    file: 'fake-server.ts',
    line: 'for (const watch of [...this.#watches]) watch.lost();',
    broken: '',
  },
  {
    name: 'watches compacted revisions',
    file: 'fake-watch-stream.ts',
    line: 'if (start < compacted)',
    broken: 'if (start < 0)',
  },
  {
    name: 'refuses to watch from the compacted revision on',
    file: 'fake-watch-stream.ts',
    line: 'if (start < compacted)',
    broken: 'if (start <= compacted)',
  },
  {
    name: 'watches from now on instead of from the requested revision',
    file: 'fake-watch-stream.ts',
    line: 'this.#next = options.start;',
    broken: 'this.#next = server.revision + 1;',
  },
  {
    name: 'delivers only one change of each revision',
    file: 'fake-watch-stream.ts',
    line: 'flatMap((each) => each.changes)',
    broken: 'flatMap((each) => each.changes.slice(0, 1))',
  },
  {
    name: 'sends events to a paused reader',
    file: 'fake-watch-stream.ts',
    line: '!this.#isPaused',
    broken: '!this.#isPaused.valueOf.length',
  },
  {
    name: 'accepts a denied watch',
    file: 'fake-watch-stream.ts',
    line: 'if (link.isDenied(range))',
    broken: "if (link.isDenied(range) && what === '')",
  },
  {
    name: 'allows a range of which a part is denied',
    file: 'fake-link.ts',
    line: "(kind === 'prefix' && prefix.startsWith(rawKey))",
    broken: "(kind === 'prefix' && prefix === rawKey)",
  },
  {
    name: 'reports a certain outcome for a write whose response was lost',
    file: 'fake-link.ts',
    line: 'return isWrite ? unknown(what, key, cause) : cause;',
    broken: 'return cause;',
  },
  {
    name: 'applies a request only when it can respond',
    file: 'fake-link.ts',
    line: 'if (!isWrite) return this.#hold(owner, request, serve);',
    broken: 'return this.#hold(owner, request, serve);',
  },
  {
    name: 'responds while it is disconnected',
    file: 'fake-link.ts',
    line: "if (this.#state === 'disconnected')",
    broken: "if (what === '')",
  },
  {
    name: 'never expires leases',
    file: 'fake-leases.ts',
    line: 'ttlSeconds * 1_000',
    broken: 'ttlSeconds * 1_000_000',
  },
  {
    name: 'expires leases of a connected application',
    file: 'fake-leases.ts',
    line: 'if (isKeptAlive())',
    broken: "if (isKeptAlive() && id === '')",
  },
  {
    name: 'keeps the keys of a lease that has ended',
    file: 'fake-leases.ts',
    line: 'this.#ended(id);',
    broken: '',
  },
  {
    name: 'delivers keys with the prefix of the application',
    file: 'fake-connection.ts',
    line: "if (this.#prefix === '') return change;",
    broken: 'return change;',
  },
  {
    name: 'accepts transactions of any size',
    file: 'fake-key-value.ts',
    line: 'checkLimits(transaction, this.#connection.prefix.length, this.#limits);',
    broken: '',
  },
];

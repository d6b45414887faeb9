/** One line of the fake, and what somebody might write there by mistake. */
export interface Sabotage {
  /** What the fake does then, to complete: "a fake that ...". */
  readonly name: string;
  /** In `lib/testing/fake`. */
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
    name: 'takes every write for a creation',
    file: 'fake-store.ts',
    line: 'before?.createRevision ?? revision',
    broken: 'revision',
  },
  {
    name: 'makes a revision of what changes nothing',
    file: 'fake-store.ts',
    line: 'if (changes.length > 0)',
    broken: 'if (operations.length > 0)',
  },
  {
    name: 'applies a transaction of whose conditions one holds',
    file: 'fake-store.ts',
    line: 'return conditions.every(',
    broken: 'return conditions.length === 0 || conditions.some(',
  },
  {
    name: 'deletes what is not there',
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
    name: 'forgets too much when it compacts',
    file: 'fake-store.ts',
    line: 'this.#history = this.since(revision);',
    broken: 'this.#history = this.since(revision + 1);',
  },
  {
    name: 'lets its values be written to',
    file: 'fake-store.ts',
    line: "value.length <= MAX_TEXT_BYTES ? value.toString('latin1') : Buffer.from(value)",
    broken: 'value',
  },
  {
    name: 'lists what is compacted',
    file: 'fake-server.ts',
    line: 'if (revision < this.compacted)',
    broken: 'if (revision < 0)',
  },
  {
    name: 'lists what is to come',
    file: 'fake-server.ts',
    line: 'if (revision > this.revision)',
    broken: 'if (revision < 0)',
  },
  {
    name: 'takes a key for a prefix',
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
    name: 'hangs keys on leases that do not exist',
    file: 'fake-server.ts',
    line: 'this.leases.has(lease)',
    broken: "lease !== ''",
  },
  {
    name: 'keeps connections when they are cut',
    file: 'fake-server.ts',
    line: 'for (const watch of [...this.#watches]) watch.lost();',
    broken: '',
  },
  {
    name: 'watches what is compacted',
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
    name: 'watches from now on instead of from the revision that was asked for',
    file: 'fake-watch-stream.ts',
    line: 'this.#next = options.start;',
    broken: 'this.#next = server.revision + 1;',
  },
  {
    name: 'tells of one change of each revision',
    file: 'fake-watch-stream.ts',
    line: 'flatMap((each) => each.changes)',
    broken: 'flatMap((each) => each.changes.slice(0, 1))',
  },
  {
    name: 'sends what a reader has paused',
    file: 'fake-watch-stream.ts',
    line: '!this.#isPaused',
    broken: '!this.#isPaused.valueOf.length',
  },
  {
    name: 'lets a watch begin that is denied',
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
    name: 'knows what became of a write whose answer was lost',
    file: 'fake-link.ts',
    line: 'return isWrite ? unknown(what, key, cause) : cause;',
    broken: 'return cause;',
  },
  {
    name: 'applies what is sent only when it can answer',
    file: 'fake-link.ts',
    line: 'if (!isWrite) return this.#hold(owner, request, serve);',
    broken: 'return this.#hold(owner, request, serve);',
  },
  {
    name: 'answers while it is disconnected',
    file: 'fake-link.ts',
    line: "if (this.#state === 'disconnected')",
    broken: "if (what === '')",
  },
  {
    name: 'lets leases live for ever',
    file: 'fake-leases.ts',
    line: 'ttlSeconds * 1_000',
    broken: 'ttlSeconds * 1_000_000',
  },
  {
    name: 'lets leases of an application end while it is connected',
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
    name: 'hands out keys with the prefix of the application',
    file: 'fake-connection.ts',
    line: "if (this.#prefix === '') return change;",
    broken: 'return change;',
  },
  {
    name: 'takes transactions of any size',
    file: 'fake-key-value.ts',
    line: 'checkLimits(transaction, this.#connection.prefixLength);',
    broken: '',
  },
];

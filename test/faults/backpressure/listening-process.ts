import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What one listener was given: `faults` are events out of order, missed or given twice. */
export interface Account {
  readonly events: number;
  readonly faults: number;
  readonly resyncs: number;
  readonly revision: number;
}

export interface ListenerReport {
  /** Of the whole process, in bytes. */
  readonly rss: number;
  /** Heap and buffers after a garbage collection, in bytes. */
  readonly memory: number;
  /** The listener that is stuck, unless none is. */
  readonly first: Account;
  readonly neighbour: Account;
  readonly pending: number;
  /** Keys that the store holds. */
  readonly keys: number;
  /** Milliseconds from before a write until it was handed over. */
  readonly delays: Readonly<Record<'neighbour' | 'elsewhere' | 'store', readonly number[]>>;
}

/** An application in a process of its own, so that its memory can be measured. */
export class ListeningProcess implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(hosts: readonly string[], mode: 'stuck' | 'free'): Promise<ListeningProcess> {
    const child = fork('test/fixtures/stuck-listener.mjs', [hosts.join(), mode], { execArgv: ['--expose-gc'] });
    const [first] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[];
    if (first !== 'ready') throw new Error('the application did not start');
    return new ListeningProcess(child);
  }

  async report(): Promise<ListenerReport> {
    this.#child.send('report');
    const [report] = (await once(this.#child, 'message')) as [ListenerReport];
    return report;
  }

  /** The stuck listener goes on. */
  wake(): void {
    this.#child.send('wake');
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

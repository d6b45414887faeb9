import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Counters of one listener. `faults` are events that were missed, duplicate or out of order. */
export interface ListenerCounters {
  readonly events: number;
  readonly faults: number;
  readonly resyncs: number;
  readonly revision: number;
}

export interface ListenerReport {
  /** Resident memory of the process, in bytes. */
  readonly rss: number;
  /** Heap and buffers after a garbage collection, in bytes. */
  readonly memory: number;
  /** The listener that is stuck in mode `stuck`. */
  readonly first: ListenerCounters;
  readonly neighbour: ListenerCounters;
  readonly pending: number;
  /** Number of keys in the store. */
  readonly keys: number;
  /** Milliseconds from the start of a write to its delivery. */
  readonly delays: Readonly<Record<'neighbour' | 'elsewhere' | 'store', readonly number[]>>;
}

/** An application in a separate process, so that its memory can be measured. */
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

  /** Resumes the stuck listener. */
  wake(): void {
    this.#child.send('wake');
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

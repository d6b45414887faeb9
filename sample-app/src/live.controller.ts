import { isDeepStrictEqual } from 'node:util';
import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import { defer, distinctUntilChanged, interval, map, merge, type Observable, of, timer } from 'rxjs';
import { Activity } from './activity.js';
import { type AppState, LiveState } from './live-state.js';

/** Polling interval for counters and connection states. Changes of configurations and events are sent immediately. */
const POLL_MS = 200;

/** The page reports a lost connection when it misses several heartbeats. */
const HEARTBEAT_MS = 2_000;

/** Server-sent events for the page. */
@Controller()
export class LiveController {
  constructor(
    private readonly activity: Activity,
    private readonly state: LiveState,
  ) {}

  /**
   * Sends `state` (the whole state, on every change), `history` and `activity` (changes received from etcd) and
   * `heartbeat`.
   */
  @Sse('live')
  live(): Observable<MessageEvent> {
    const { added$ } = this.activity;
    const states$ = merge(timer(0, POLL_MS), added$).pipe(
      map(() => this.state.now()),
      distinctUntilChanged<AppState>(isDeepStrictEqual),
    );
    return merge(
      defer(() => of(message('history', this.activity.latest))),
      added$.pipe(map((entry) => message('activity', entry))),
      states$.pipe(map((state) => message('state', state))),
      interval(HEARTBEAT_MS).pipe(map(() => message('heartbeat', {}))),
    );
  }
}

const message = (type: string, data: object): MessageEvent => ({ type, data });

import { isDeepStrictEqual } from 'node:util';
import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import { defer, distinctUntilChanged, interval, map, merge, type Observable, of, timer } from 'rxjs';
import { Activity } from './activity.js';
import { type AppState, LiveState } from './live-state.js';

/** How often counters and connections are looked at; changes of configurations and events are shown at once. */
const LOOK_MS = 200;

/** A page that hears nothing for a few of these knows that it lost the application. */
const BEAT_MS = 2_000;

/** Server-sent events for the page. */
@Controller()
export class LiveController {
  constructor(
    private readonly activity: Activity,
    private readonly state: LiveState,
  ) {}

  /** `state`: all of it, whenever it differs. `history`, then `activity`: what came from etcd. `beat`: the application is there. */
  @Sse('live')
  live(): Observable<MessageEvent> {
    const { added$ } = this.activity;
    const states$ = merge(timer(0, LOOK_MS), added$).pipe(
      map(() => this.state.now()),
      distinctUntilChanged<AppState>(isDeepStrictEqual),
    );
    return merge(
      defer(() => of(message('history', this.activity.last))),
      added$.pipe(map((entry) => message('activity', entry))),
      states$.pipe(map((state) => message('state', state))),
      interval(BEAT_MS).pipe(map(() => message('beat', {}))),
    );
  }
}

const message = (type: string, data: object): MessageEvent => ({ type, data });

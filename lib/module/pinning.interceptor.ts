import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { PinnedReads } from '../store/joint/pinned-reads.js';

/** Pins the reads of each request: from this interceptor on until the response is complete. */
export class PinningInterceptor implements NestInterceptor {
  constructor(private readonly reads: () => PinnedReads | undefined) {}

  async intercept(_: ExecutionContext, next: CallHandler<unknown>): Promise<Observable<unknown>> {
    const reads = this.reads();
    const state = await reads?.begin();
    if (!reads || !state) return next.handle();
    return new Observable((subscriber) => {
      const subscription = reads.within(state, () => next.handle().subscribe(subscriber));
      return () => {
        subscription.unsubscribe();
        reads.end(state);
      };
    });
  }
}

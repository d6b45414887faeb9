import type { Member } from './member.js';
import type { MemberSession } from './member-session.js';

/** Time that a member has for itself before the next one is tried beside it (RFC 8305, "Happy Eyeballs"). */
const HEAD_START_MS = 250;

/** Opens a session, or rejects with the reason. An abort closes it. */
export type Dial = (member: Member, signal: AbortSignal) => Promise<MemberSession>;

export type RoundResult = { readonly session: MemberSession } | { readonly failures: readonly unknown[] };

/** Tries each member once and resolves to the first session that is ready. An abort ends it without a failure. */
export function dialRound(members: readonly Member[], dial: Dial, signal: AbortSignal): Promise<RoundResult> {
  return new Promise((resolve) => {
    const round = new AbortController();
    const failures: unknown[] = [];
    let started = 0;
    let headStart: NodeJS.Timeout | undefined;
    const end = (result: RoundResult): void => {
      clearTimeout(headStart);
      signal.removeEventListener('abort', abort);
      round.abort();
      resolve(result);
    };
    const abort = (): void => {
      end({ failures: [] });
    };
    const startNext = (): void => {
      clearTimeout(headStart);
      const member = members[started];
      if (!member) return;
      started += 1;
      if (started < members.length) headStart = setTimeout(startNext, HEAD_START_MS);
      dial(member, round.signal).then(
        (session) => {
          if (round.signal.aborted) session.close();
          else end({ session });
        },
        (error: unknown) => {
          if (round.signal.aborted) return;
          failures.push(error);
          if (failures.length === members.length) end({ failures });
          else startNext();
        },
      );
    };
    signal.addEventListener('abort', abort);
    if (signal.aborted || members.length === 0) end({ failures: [] });
    else startNext();
  });
}

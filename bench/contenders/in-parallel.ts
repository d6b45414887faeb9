const CALLERS = 16;

/** Makes `count` calls, 16 at once. */
export async function inParallel(count: number, call: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

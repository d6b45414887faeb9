/** Calls `next` with the value: immediately, or when the promise resolves. */
export const andThen = <T, R>(value: T | Promise<T>, next: (settled: T) => R | Promise<R>): R | Promise<R> =>
  value instanceof Promise ? value.then(next) : next(value);

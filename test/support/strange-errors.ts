/** A text that no log line or error may contain. */
export const CANARY = 'CANARY-VALUE';

const throwing = (): never => {
  throw new Error(CANARY);
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Values of unusual shape that application code may throw. */
export const STRANGE: readonly (readonly [string, unknown])[] = [
  ['an error whose stack is an array', Object.assign(new Error(CANARY), { stack: [CANARY] })],
  ['an error whose stack throws', Object.defineProperty(new Error(CANARY), 'stack', { get: throwing })],
  ['an error whose message throws', Object.defineProperty(new Error(CANARY), 'message', { get: throwing })],
  ['an error whose constructor throws', Object.defineProperty(new Error(CANARY), 'constructor', { get: throwing })],
  ['an error without a prototype', Object.setPrototypeOf(new Error(CANARY), null)],
  ['an error with a class of its own name', Object.assign(new Error(CANARY), { constructor: { name: CANARY } })],
  ['a Proxy whose prototype throws', new Proxy(new Error(CANARY), { getPrototypeOf: throwing, get: throwing })],
  ['a revoked Proxy', revoked()],
  ['an object that cannot be converted', { toString: throwing, valueOf: throwing, then: throwing }],
  ['an object without a prototype', Object.create(null)],
  ['null', null],
  ['undefined', undefined],
  ['a symbol', Symbol(CANARY)],
  ['a bigint', 7n],
  ['a string', CANARY],
  ['a function', throwing],
  ['a frozen error', Object.freeze(new Error(CANARY))],
  ['an error whose name is an object', Object.assign(new Error(CANARY), { name: { toString: throwing } })],
  ['an error that is its own cause', selfCaused()],
  ['an object with every property', new Proxy({}, { get: () => CANARY, has: () => true })],
  ['a Promise that rejects', rejecting()],
];

function selfCaused(): Error {
  const error = new Error(CANARY);
  error.cause = error;
  return Object.assign(error, { errors: [error] });
}

function rejecting(): Promise<never> {
  const promise = Promise.reject(new Error(CANARY));
  promise.catch(() => undefined);
  return promise;
}

import type { StandardSchema } from 'nestjs-etcd-trigger';

export interface Note {
  readonly value: string;
}

/** A value that no message, log line or path may contain. */
export const SECRET = 'hunter2-SECRET';

export const GOOD_NOTE: Note = { value: 'good' };
export const BAD_NOTE: Note = { value: SECRET };

const fail = (): never => {
  throw new Error(`what is wrong is ${SECRET}`);
};

function* endless<T>(item: T): Generator<T> {
  for (;;) yield item;
}

/** The answer of each schema to every document but the good one, and the constraints of the violations. */
const ANSWERS: Readonly<Record<string, readonly [answer: (document: object) => unknown, constraints: string]>> = {
  throws: [fail, 'validator'],
  rejects: [() => Promise.reject(new Error(SECRET)), 'validator'],
  text: [() => SECRET, 'validator'],
  nothing: [() => Promise.resolve(undefined), 'validator'],
  emptyResult: [() => ({}), 'validator'],
  revoked: [
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    'validator',
  ],
  throwingThenable: [() => ({ then: fail }), 'validator'],
  throwingPath: [() => ({ issues: [Object.defineProperty({ message: SECRET }, 'path', { get: fail })] }), 'validator'],
  endlessIssues: [() => ({ issues: endless({ message: SECRET, path: ['value'] }) }), 'invalid,more'],
  manyIssues: [
    () => ({ issues: Array.from({ length: 100_000 }, (_, index) => ({ path: [`p${index}`] })) }),
    'invalid,more',
  ],
  endlessPath: [() => ({ issues: [{ path: endless('value') }] }), 'invalid'],
  secretPath: [
    () => ({ issues: [{ path: [SECRET, { key: SECRET }, Symbol(SECRET), { key: { toString: fail } }] }] }),
    'invalid',
  ],
  secretCode: [() => ({ issues: [{ message: SECRET, code: `${SECRET}\n`, path: [] }] }), 'invalid'],
  number: [() => ({ value: 1 }), 'object'],
  promise: [() => ({ value: Promise.reject(new Error(SECRET)) }), 'object'],
  bytes: [() => ({ value: { bytes: Buffer.from(SECRET) } }), 'binary'],
  unfreezable: [() => ({ value: new Proxy({}, { preventExtensions: () => false }) }), 'freeze'],
  mutates: [
    (document) => {
      for (const name of Object.keys(document)) Reflect.deleteProperty(document, name);
      Object.assign(document, { value: 1, more: document });
      return { issues: [{ message: SECRET, path: ['value', 'more'] }] };
    },
    'invalid',
  ],
};

export interface HostileSchema {
  readonly name: string;
  readonly prefix: string;
  readonly schema: StandardSchema<Note>;
  /** The constraints of a bad document, sorted and joined by a comma. */
  readonly constraints: string;
}

/** Schemas that accept the good note, and answer any other as no schema should. */
export const HOSTILE_SCHEMAS: readonly HostileSchema[] = Object.entries(ANSWERS).map(
  ([name, [answer, constraints]]) => ({
    name,
    prefix: `/${name}/`,
    constraints,
    schema: {
      '~standard': {
        version: 1,
        vendor: 'zod',
        validate: (document) =>
          ((document as Note).value === GOOD_NOTE.value ? { value: document } : answer(document as object)) as {
            value: Note;
          },
      },
    },
  }),
);

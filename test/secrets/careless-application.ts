import { Injectable } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import { type ConfigDefinition, OnWatchError, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { Canaries } from './canaries.js';

/** All secrets of the application below. */
export const canaries = new Canaries();
export const passwords = { root: canaries.hatch('password of root'), app: canaries.hatch('password of app') };
export const wrongPassword = canaries.hatch('wrong password');
export const good = canaries.hatch('valid value');
export const next = canaries.hatch('next value');
export const bad = canaries.hatch('value that is not valid');
export const encryptionSecret = canaries.hatch('encryption key');
export const thrown = canaries.hatch('message of an application');

export class Access {
  @IsString() token!: string;
  @IsInt({ message: 'there are not $value connections' }) connections!: number;
}

export const KEY = '/open/access';
export const valid = (token = good) => ({ token, connections: 1 });
export const BROKEN = {
  'JSON that ends too early': `{"token":"${bad}","connections":`,
  'JSON with a stray word': `{"token": ${bad}}`,
  'JSON that names a property twice': `{"token":"a","token":"${bad}","connections":1}`,
  'a property of another type': JSON.stringify({ token: 'x', connections: bad }),
  'no document at all': bad,
  'a list': JSON.stringify([bad]),
} as const;

export const configs: ConfigDefinition[] = [
  { key: KEY, type: Access },
  { prefix: '/open/yaml/', type: Access, codec: 'yaml', unknown: 'refuse' },
  { prefix: '/open/own/', type: Access, codec: { decode: refuseBytes, encode: refuseValue } },
];

function refuseBytes(bytes: Buffer): object {
  throw new Error(`cannot read ${bytes.toString()}`);
}

function refuseValue(value: unknown): Buffer {
  throw new Error(`cannot write ${JSON.stringify(value)}`);
}

/** Handlers that throw their arguments in every possible way. */
@Injectable()
export class Clumsy {
  failures = 0;

  @WatchKey('/open/events/', { retry: { attempts: 2, backoff: { initialMs: 1 } } })
  onEvent({ value }: WatchEvent): void {
    throw new Error(`cannot do ${String(value)} ${thrown}`);
  }

  @WatchKey('/open/rejected/')
  async onRejected({ value }: WatchEvent): Promise<void> {
    await Promise.reject(new TypeError(String(value), { cause: thrown }));
  }

  @WatchKey('/open/odd/')
  onOdd({ value }: WatchEvent): void {
    // Not an Error, as some code throws.
    const odd: unknown = { value: String(value) };
    throw odd;
  }

  @WatchKey('/open/slow/', { timeoutMs: 20 })
  async onSlow(): Promise<void> {
    await new Promise(() => undefined);
  }

  @WatchKey('/open/typed/', { type: Access })
  @WatchKey('/open/typed/', { type: Access, onInvalid: 'error', unknown: 'refuse' })
  onTyped(): void {
    throw new Error(thrown);
  }

  @OnWatchError()
  onError(): void {
    this.failures += 1;
    throw new Error(thrown);
  }
}

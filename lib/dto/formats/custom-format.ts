import { adopted, isThenable } from '../../foreign/thenable.js';
import { within } from '../../timing/time-limit.js';
import type { JsonObject } from '../json-object.js';
import { bufferOf, type DocumentBytes } from './document-bytes.js';
import type { ConfigCodec, DecodedDocument, DocumentFormat, EncodedDocument } from './document-format.js';
import { rejected } from './document-text.js';
import { plainCopy } from './plain-copy.js';

/**
 * Adapts the codec of an application. Input and output are copied, so neither side can change the data of the other. A
 * codec that does not settle within the limit is the violation `timeout`.
 */
export class CustomFormat implements DocumentFormat {
  readonly isCustom = true;

  constructor(
    private readonly codec: ConfigCodec,
    private readonly limitMs: number,
  ) {}

  read(bytes: DocumentBytes): DecodedDocument | Promise<DecodedDocument> {
    return this.#accept(() => this.codec.decode(Buffer.from(bufferOf(bytes))), plainCopy);
  }

  write(document: JsonObject): EncodedDocument | Promise<EncodedDocument> {
    return this.#accept(() => this.codec.encode(JSON.parse(JSON.stringify(document)) as object), encoded);
  }

  #accept<T>(call: () => unknown, accept: (result: unknown) => T): T | Rejected | Promise<T | Rejected> {
    try {
      const result = call();
      return isThenable(result) ? this.#acceptLate(adopted(result), accept) : accept(result);
    } catch {
      return rejected('codec');
    }
  }

  async #acceptLate<T>(pending: Promise<unknown>, accept: (result: unknown) => T): Promise<T | Rejected> {
    try {
      const late = await within(
        pending.then((result) => ({ result })),
        this.limitMs,
      );
      return late ? accept(late.result) : rejected('timeout');
    } catch {
      return rejected('codec');
    }
  }
}

type Rejected = ReturnType<typeof rejected>;

const encoded = (bytes: unknown): EncodedDocument =>
  bytes instanceof Uint8Array ? Buffer.from(bytes) : rejected('codec');

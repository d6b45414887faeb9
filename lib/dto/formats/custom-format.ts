import { ignoreRejection } from '../../foreign/thenable.js';
import type { JsonObject } from '../json-object.js';
import { bufferOf, type DocumentBytes } from './document-bytes.js';
import type { ConfigCodec, DecodedDocument, DocumentFormat } from './document-format.js';
import { rejected } from './document-text.js';
import { plainCopy } from './plain-copy.js';

/**
 * Adapts the codec of an application. Input and output are copied, so neither side can change the data of the other.
 */
export class CustomFormat implements DocumentFormat {
  constructor(private readonly codec: ConfigCodec) {}

  read(bytes: DocumentBytes): DecodedDocument {
    try {
      const decoded = this.codec.decode(Buffer.from(bufferOf(bytes)));
      ignoreRejection(decoded);
      return plainCopy(decoded);
    } catch {
      return rejected('codec');
    }
  }

  write(document: JsonObject): ReturnType<DocumentFormat['write']> {
    try {
      const bytes: unknown = this.codec.encode(JSON.parse(JSON.stringify(document)) as object);
      ignoreRejection(bytes);
      return bytes instanceof Uint8Array ? Buffer.from(bytes) : rejected('codec');
    } catch {
      return rejected('codec');
    }
  }
}

import type { JsonObject } from '../dto/json-object.js';

/** The body of a write, and the user that sent it. */
export interface WriteRequest {
  readonly body: JsonObject;
  /** `undefined` without the option `author`. */
  readonly author: string | undefined;
}

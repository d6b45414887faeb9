import { CustomFormat } from './custom-format.js';
import { JSON_FORMAT } from './json-format.js';
import { TEXT_FORMAT } from './text-format.js';
import { YamlFormat } from './yaml-format.js';
import type { CodecChoice, DocumentFormat } from './document-format.js';

/** Limit of an asynchronous validator, schema or codec, in milliseconds. */
export const ASYNC_TIMEOUT_MS = 5_000;

/** @throws InvalidOptionsError for `'yaml'` if the package `yaml` is not installed */
export function formatOf(codec: CodecChoice, asyncTimeoutMs = ASYNC_TIMEOUT_MS): DocumentFormat {
  if (codec === 'json') return JSON_FORMAT;
  if (codec === 'text') return TEXT_FORMAT;
  return codec === 'yaml' ? new YamlFormat() : new CustomFormat(codec, asyncTimeoutMs);
}

import { describe, expect, it } from 'vitest';
import { readDocument } from '../../../lib/dto/formats/document-reader.js';
import { JSON_FORMAT } from '../../../lib/dto/formats/json-format.js';
import { YamlFormat } from '../../../lib/dto/formats/yaml-format.js';

describe.each([
  ['JSON', JSON_FORMAT],
  ['YAML', new YamlFormat()],
] as const)('a large number in %s', (_, format) => {
  const numbers = [
    2 ** 53,
    -(2 ** 53),
    1e20,
    -1e21,
    1.7976931348623157e308,
    123456789012345680000,
    2 ** 53 - 1,
    -(2 ** 53) + 1,
    0.1,
    5e-324,
  ];

  it.each(numbers)('is the same double when it is read back: %d', (number) => {
    const document = { number, list: [number], text: '123456789012345678901' };
    const bytes = format.write(document);

    expect(Buffer.isBuffer(bytes) && readDocument(bytes, format)).toEqual({ ok: true, value: document });
  });
});

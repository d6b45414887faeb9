import type { Type } from '@nestjs/common';
import { isConstrained } from '../dto/class-metadata.js';
import { DtoParser } from '../dto/dto-parser.js';
import { DtoSerializer } from '../dto/dto-serializer.js';
import { plainBytes } from '../dto/plain-document.js';
import { ViolationList } from '../dto/violation-list.js';
import { InvalidConfigError } from '../etcd-trigger.errors.js';

/**
 * Serializes the data of an instance of a service. An instance of a class with validation rules is validated.
 * @throws InvalidConfigError
 */
export async function serviceBytesOf(service: string, self: object): Promise<Buffer> {
  const subject = `the data of this instance of the service "${service}"`;
  const type: unknown = (self as object | undefined)?.constructor;
  if (isConstrained(type)) {
    const result = await new DtoSerializer(new DtoParser(type as Type<object>)).serialize(self);
    if (result.ok) return result.bytes;
    throw new InvalidConfigError(subject, result.violations);
  }
  const violations = new ViolationList();
  const bytes = plainBytes(self, violations);
  if (bytes) return bytes;
  throw new InvalidConfigError(subject, violations.toArray());
}

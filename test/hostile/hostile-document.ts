import type { Type as ClassType } from '@nestjs/common';
import { Transform, Type } from 'class-transformer';
import {
  Allow,
  ArrayUnique,
  IsArray,
  IsInt,
  IsNotEmpty,
  IsObject,
  IsOptional,
  IsString,
  ValidateNested,
} from 'class-validator';
import type { ConfigDefinition } from 'nestjs-etcd-trigger';
import { z } from 'zod';

/** The value that readers get, or the constraints of the violations, sorted and joined by a comma. */
export type Verdict = { readonly value: unknown } | { readonly rejected: string };

/** Bytes that somebody may write to a key, and what the library must say about them. */
export interface HostileDocument {
  readonly name: string;
  readonly format: 'json' | 'yaml';
  readonly bytes: Buffer;
  readonly verdict: Verdict;
}

/** A document and the key that it is written to. */
export interface KeyedDocument extends HostileDocument {
  readonly key: string;
}

export const valid = (value: unknown): Verdict => ({ value });

export const rejected = (...constraints: string[]): Verdict => ({ rejected: constraints.sort().join() });

export class Item {
  @IsInt() n!: number;
}

/** Anything is valid for `value`; the other properties have the rules that are expensive to validate. */
export class Configuration {
  @Allow() value?: unknown;
  @IsOptional() @IsArray() @ArrayUnique() unique?: unknown[];
  @IsOptional() @IsInt({ each: true }) integers?: number[];
  @IsOptional() @IsString() @IsNotEmpty() text?: string;
  @IsOptional() @IsObject() labels?: object;
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Item) items?: Item[];
}

/** The same rules. Its documents always go through class-transformer and class-validator. */
export class Transformed extends Configuration {
  @IsOptional() @Transform(({ value }: { value: unknown }) => value) transformed?: unknown;
  @IsOptional() @ValidateNested() @Type(() => Item) map?: Map<string, Item>;
}

/** A schema that accepts anything for `value`, too, and has no rules for the other properties. */
export const AnyValue = z.object({ value: z.unknown().optional() });

export const DEFINITIONS: ConfigDefinition[] = [
  { prefix: '/json/', type: Configuration },
  { prefix: '/transformed/', type: Transformed, unknown: 'refuse' },
  { prefix: '/schema/', schema: AnyValue },
  { prefix: '/yaml/', type: Configuration, codec: 'yaml' },
];

const PREFIXES = { json: ['/schema/', '/json/', '/transformed/'], yaml: ['/yaml/'] } as const;

/** Gives each document a key in every definition of its format; a large one in the definition that takes longest. */
export const keyed = (documents: readonly HostileDocument[]): KeyedDocument[] =>
  documents.flatMap((document, index) =>
    PREFIXES[document.format]
      .slice(document.bytes.length > 100_000 ? -1 : 0)
      .filter((prefix) => prefix !== '/schema/' || !isRejectedByClass(document))
      .map((prefix) => ({ ...document, key: `${prefix}${index}` })),
  );

/** True if a rule of the class rejects the document, and not a rule for all documents. */
const isRejectedByClass = ({ verdict }: HostileDocument): boolean =>
  'rejected' in verdict && /\b(?:is[A-Z]|array[A-Z]|nestedValidation)/.test(verdict.rejected);

export function typeOf(key: string): ClassType<Configuration> | typeof AnyValue {
  if (key.startsWith('/schema/')) return AnyValue;
  return key.startsWith('/transformed/') ? Transformed : Configuration;
}

/** A value that is valid in every definition, also as YAML. */
export const GOOD = { value: 'good' };

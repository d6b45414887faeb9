import 'reflect-metadata';
import { createRequire } from 'node:module';
import { Allow, ValidateNested, type ValidationOptions } from 'class-validator';
import { Exclude, Expose, type ExposeOptions, Type } from 'class-transformer';
import type { Random } from '../../faults/lab/random.js';
import { CORPUS } from './built-in-decorators.js';
import { type Body, drawBody } from './class-body.js';
import { nestedNamesOf } from './instances.js';
import { drawConditions, drawRule, type Rule } from './property-rules.js';
import { drawTransformation } from './property-transformations.js';
import {
  type ClassShape,
  type Container,
  itemsOf,
  type NestedShape,
  type PropertyShape,
  type SubType,
} from './shape.js';

const { defaultMetadataStorage } = createRequire(import.meta.url)('class-transformer/cjs/storage.js') as {
  readonly defaultMetadataStorage: {
    getExcludedProperties(type: unknown, transformation: number): string[];
    findExposeMetadata(type: unknown, name: string): { readonly options: ExposeOptions } | undefined;
    findTransformMetadatas(type: unknown, name: string, transformation: number): unknown[];
  };
};

const NAMES = [
  'a',
  'b',
  'c',
  'd',
  'e',
  'f',
  'size',
  'length',
  'then',
  'get',
  'push',
  '1',
  'a b',
  'näme',
  'type',
  'kind',
];

/** Draws a class with nested classes, decorated like the classes of an application. */
export function drawClass(random: Random, depth = 0, base = drawBase(random, depth)): ClassShape {
  const names = drawNames(random);
  const { type, description, isForeign } = drawBody(random, names, base?.type);
  const lines = [description];
  const drawn = names.map((name) => drawProperty(random, type, name, names, depth, lines));
  if (random.percent(3)) {
    (random.percent(50) ? Expose() : Exclude())(type);
    lines.push(EXCLUDED);
  }
  const inherited = (base?.properties ?? []).filter(({ name }) => !names.includes(name));
  const properties = [...inherited, ...drawn.map(({ property }) => property)];
  const items = properties.flatMap(({ nested }) => (nested ? itemsOf(nested) : []));
  return {
    type,
    base,
    properties,
    isAsync: drawn.some(({ isAsync }) => isAsync) || base?.isAsync === true || items.some((item) => item.isAsync),
    hidesUnknown:
      isForeign ||
      base?.hidesUnknown === true ||
      lines.includes(EXCLUDED) ||
      isDropped(type, 'undecorated') ||
      items.some((item) => item.hidesUnknown) ||
      properties.some(({ nested }) => nested?.declared === 'single' && isCollection(nested.item.type)) ||
      [...nestedNamesOf(type)].some((name) => isDropped(type, name)),
    description: [...(base ? [`extends (${base.description})`] : []), ...lines].join('\n').replaceAll('\n', '\n  '),
  };
}

const EXCLUDED = 'excluded class';

/** True if class-transformer may not assign the property, or passes it to a function. */
const isDropped = (type: new () => object, name: string): boolean =>
  name in (type.prototype as object) ||
  typeof Reflect.get(new type(), name) === 'function' ||
  defaultMetadataStorage.getExcludedProperties(type, 0).includes(name) ||
  isRestricted(defaultMetadataStorage.findExposeMetadata(type, name)?.options) ||
  defaultMetadataStorage.findTransformMetadatas(type, name, 0).length > 0;

/** True if class-transformer passes the items of a list to a method of the class. */
const isCollection = (type: new () => object): boolean => 'push' in new type();

const isRestricted = (options: ExposeOptions | undefined): boolean =>
  options?.name !== undefined || options?.groups !== undefined;

const drawBase = (random: Random, depth: number): ClassShape | undefined =>
  random.percent(20) ? drawClass(random, depth + 1, undefined) : undefined;

const drawNames = (random: Random): string[] => [
  ...new Set(Array.from({ length: random.int(1, 4) }, () => random.pick(NAMES))),
];

interface DrawnProperty {
  readonly property: PropertyShape;
  readonly isAsync: boolean;
}

function drawProperty(
  random: Random,
  type: Body['type'],
  name: string,
  names: readonly string[],
  depth: number,
  lines: string[],
): DrawnProperty {
  const nested = depth < 2 && random.percent(40) ? drawNested(random, depth) : undefined;
  const rules = [...drawConditions(random, names)];
  for (let left = random.int(nested ? -2 : 0, 2); left > 0; left -= 1) rules.push(drawRule(random));
  if (rules.length === 0 && !nested) rules.push({ description: 'Allow', decorate: Allow(), good: CORPUS });
  const transformation = drawTransformation(random, nested !== undefined);
  const typing = nested ? drawNestedTyping(random, nested) : drawTyping(random);
  const all = [...rules, ...transformation, ...typing.rules];

  if (typing.designType !== undefined)
    Reflect.defineMetadata('design:type', typing.designType, type.prototype as object, name);
  for (const { decorate } of all) decorate(type.prototype as object, name);
  lines.push(`${name}: ${all.map(({ description }) => description).join(' ')}`);
  if (nested) lines.push(`  ${nested.declared ?? 'undeclared'} of ${nested.item.description}`);
  return {
    property: {
      name,
      good: nested ? CORPUS : goodValues(rules),
      ...(nested && typing.isTyped ? { nested } : {}),
    },
    isAsync: all.some(({ isAsync }) => isAsync === true),
  };
}

/** Returns the values that all rules accept, if there are any. */
function goodValues(rules: readonly Rule[]): readonly unknown[] {
  const [first = { good: CORPUS }, ...others] = rules.filter(({ good }) => good !== CORPUS);
  const common = first.good.filter((value) => others.every(({ good }) => good.includes(value)));
  return common.length > 0 ? common : first.good;
}

interface Typing {
  readonly rules: readonly Rule[];
  readonly designType: unknown;
  readonly isTyped: boolean;
}

function drawTyping(random: Random): Typing {
  const designType = random.pick([undefined, Object, String, Number, Boolean, Array]);
  if (!random.percent(4)) return { rules: [], designType: random.percent(2) ? Date : designType, isTyped: false };
  const primitive = random.pick([String, Number, Boolean, Date]);
  const rule = { description: `Type(${primitive.name})`, decorate: Type(() => primitive), good: CORPUS };
  return { rules: [rule], designType, isTyped: true };
}

const DESIGN_TYPES: Readonly<Record<Exclude<Container, 'single'>, unknown>> = { list: Array, set: Set, map: Map };

function drawNestedTyping(random: Random, nested: NestedShape): Typing {
  const { declared, item, discriminator } = nested;
  const validation = random.percent(60)
    ? undefined
    : random.pick<ValidationOptions>([
        { each: true },
        { groups: ['g'] },
        { always: true },
        { context: 1 },
        { message: 'x' },
      ]);
  const isTyped = !random.percent(3);
  const options = discriminator && {
    discriminator: {
      property: discriminator.property,
      subTypes: discriminator.subTypes.map(({ name, item: { type } }) => ({ name, value: type })),
    },
    keepDiscriminatorProperty: discriminator.isKept,
  };
  const isDynamic = random.percent(5);
  const typeFunction = isDynamic
    ? ({ object }: { object: Record<string, unknown> } = { object: {} }): unknown =>
        object.is === 'another' ? Object : item.type
    : (): unknown => item.type;
  const rule = (description: string, decorate: PropertyDecorator): Rule => ({ description, decorate, good: CORPUS });
  return {
    // Decorators run from the last to the first one, as TypeScript applies them.
    rules: [
      ...(isTyped
        ? [
            rule(
              `Type(${isDynamic ? 'dynamic' : ''}${options ? 'discriminator' : ''})`,
              Type(typeFunction as never, options),
            ),
          ]
        : []),
      rule(`ValidateNested(${JSON.stringify(validation)})`, ValidateNested(validation)),
    ],
    designType: declared === undefined ? undefined : declared === 'single' ? item.type : DESIGN_TYPES[declared],
    isTyped,
  };
}

function drawNested(random: Random, depth: number): NestedShape {
  const container = random.pick<Container>(['single', 'single', 'single', 'list', 'list', 'list', 'set', 'map']);
  const isUndeclared = (container === 'single' || container === 'list') && random.percent(15);
  const item = drawClass(random, depth + 1);
  const subTypes = (): SubType[] => [
    { name: 'x', item },
    { name: 'y', item: random.percent(50) ? item : drawClass(random, depth + 1) },
  ];
  return {
    declared: isUndeclared ? undefined : container,
    container,
    item,
    ...(random.percent(10)
      ? { discriminator: { property: 'is', subTypes: subTypes(), isKept: random.percent(50) } }
      : {}),
  };
}

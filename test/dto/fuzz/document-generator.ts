import type { Random } from '../../faults/lab/random.js';
import { CORPUS } from './built-in-decorators.js';
import type { ClassShape, NestedShape, PropertyShape } from './shape.js';

/** Draws the JSON text of a document that is often valid for the class. */
export function drawDocument(random: Random, shape: ClassShape): string {
  const text = JSON.stringify(drawObject(random, shape));
  const written = text.replace(/"literal:([^"]*)"/g, '$1');
  return random.percent(1) ? written.replace(/^{(?!})/, '{"twice":1,"twice":2,') : written;
}

type Json = Record<string, unknown>;

const UNKNOWN = ['unknown', 'un known', 'Unknown', 'undecorated', '0', 'toJSON'];
const INHERITED = [
  'toString',
  'valueOf',
  'hasOwnProperty',
  'constructor',
  '__proto__',
  'prototype',
  '__defineGetter__',
];

function drawObject(random: Random, shape: ClassShape): Json {
  const object: Json = {};
  for (const property of shape.properties) {
    if (random.percent(85)) set(object, property.name, drawValue(random, property));
  }
  if (random.percent(2)) set(object, 'exposed', drawAnything(random));
  while (random.percent(8)) set(object, random.pick(UNKNOWN), 'unknown');
  if (random.percent(1)) set(object, random.pick(INHERITED), drawAnything(random));
  return object;
}

function drawValue(random: Random, { good, nested }: PropertyShape): unknown {
  if (random.percent(nested ? 6 : 8)) return drawAnything(random);
  return nested ? drawNestedValue(random, nested) : random.pick(good);
}

function drawNestedValue(random: Random, nested: NestedShape): unknown {
  const item = (): Json => drawItem(random, nested);
  const list = (): unknown[] => Array.from({ length: random.int(0, 3) }, () => drawElement(random, item));
  switch (nested.container) {
    case 'single':
      return random.percent(3) ? list() : item();
    case 'list':
    case 'set':
      return random.percent(3) ? item() : [...new Set(list())];
    case 'map':
      return random.percent(3)
        ? list()
        : Object.fromEntries(drawKeys(random).map((key) => [key, drawElement(random, item)]));
  }
}

const drawKeys = (random: Random): string[] =>
  random.percent(3) ? ['x', 'size'] : ['x', 'y', '7'].slice(0, random.int(0, 3));

/** Lists contain lists, and Maps too. */
const drawElement = (random: Random, item: () => Json): unknown =>
  random.percent(3) ? random.pick<unknown>([null, 1, 'a', []]) : random.percent(8) ? [item(), item()] : item();

function drawItem(random: Random, { item, discriminator }: NestedShape): Json {
  if (!discriminator || !random.percent(85)) return drawObject(random, item);
  const subType = random.pick(discriminator.subTypes);
  return { ...drawObject(random, subType.item), [discriminator.property]: subType.name };
}

const LITERALS = [
  '1e400',
  '-1e400',
  '1e20',
  '9007199254740993',
  '-9007199254740992',
  '9007199254740993.0',
  '-0',
  '1E2',
];

function drawAnything(random: Random): unknown {
  if (random.percent(4)) return `literal:${random.pick(LITERALS)}`;
  if (random.percent(15)) return Array.from({ length: random.int(0, 2) }, () => drawAnything(random));
  if (!random.percent(15)) return random.pick(CORPUS);
  const object: Json = {};
  for (let left = random.int(0, 2); left > 0; left -= 1) {
    set(object, random.pick(['a', 'b', 'c', 'length', 'then', 'toJSON']), drawAnything(random));
  }
  if (random.percent(4)) set(object, random.pick(INHERITED), drawAnything(random));
  return object;
}

/** An assignment to `__proto__` would set the prototype. */
function set(object: Json, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

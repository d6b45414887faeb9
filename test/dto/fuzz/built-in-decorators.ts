import * as classValidator from 'class-validator';

type Decorators = Record<string, (...args: unknown[]) => PropertyDecorator>;

/** Suitable arguments of the decorators that need some. */
export const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  ArrayContains: [[1]],
  ArrayMaxSize: [3],
  ArrayMinSize: [1],
  ArrayNotContains: [[1]],
  Contains: ['a'],
  Equals: [1],
  IsDivisibleBy: [2],
  IsEnum: [{ one: 1, a: 'a' }],
  IsIn: [[1, 'a']],
  IsInstance: [Object],
  IsNotIn: [[1, 'a']],
  IsPhoneNumber: ['DE'],
  Length: [1, 3],
  Matches: [/^a/],
  Max: [5],
  MaxDate: [new Date()],
  MaxLength: [3],
  Min: [1],
  MinDate: [new Date()],
  MinLength: [1],
  NotContains: ['a'],
  NotEquals: [1],
  IsPostalCode: ['DE'],
  IsMobilePhone: ['de-DE'],
  IsRgbColor: [true],
  IsPassportNumber: ['DE'],
  IsTaxId: ['de-DE'],
  IsIdentityCard: ['ES'],
  IsHash: ['md5'],
  IsISBN: ['13'],
};
const NOT_OF_ONE_VALUE = new Set([
  'Allow',
  'Validate',
  'ValidateBy',
  'ValidateIf',
  'ValidateNested',
  'ValidatePromise',
  'IsOptional',
  'ValidatorConstraint',
]);
/** Names and functions of the decorators for a single value. */
export const BUILT_IN = Object.entries(classValidator as unknown as Decorators).filter(
  ([name, decorator]) =>
    /^[A-Z]/.test(name) &&
    typeof decorator === 'function' &&
    !NOT_OF_ONE_VALUE.has(name) &&
    isPropertyDecorator(name, decorator),
);

function isPropertyDecorator(name: string, decorator: (...args: unknown[]) => unknown): boolean {
  try {
    return typeof decorator(...(ARGUMENTS[name] ?? [])) === 'function';
  } catch {
    return false;
  }
}

/** JSON values, at least one of which passes each of most decorators. */
export const CORPUS: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  2,
  -1,
  1.5,
  80,
  '',
  'a',
  'abc',
  'abcdef',
  '1',
  '1.5',
  'true',
  'https://example.com',
  'a@b.de',
  '127.0.0.1',
  '::1',
  '2020-01-01',
  '2020-01-01T00:00:00Z',
  'Infinity',
  '#fff',
  'rgb(1,2,3)',
  '{"a":1}',
  'de',
  'DE',
  'EUR',
  '12:00',
  '00:00:5e:00:53:af',
  '+4930123456',
  '10115',
  '4111111111111111',
  '123e4567-e89b-12d3-a456-426614174000',
  '507f1f77bcf86cd799439011',
  'YQ==',
  'data:,a',
  '1.0.0',
  '80',
  '9783161484100',
  'DE89370400440532013000',
  '5d41402abc4b2a76b9719d911017c592',
  '12.5,13.5',
  [],
  [1],
  [1, 1],
  ['a', 2, null],
  {},
  { a: 1 },
];

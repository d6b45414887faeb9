import * as classValidator from 'class-validator';

type Decorators = Record<string, (...args: unknown[]) => PropertyDecorator>;

/**
 * Arguments of the decorators that have some before their options. A decorator without an entry here gets its options
 * as the first argument.
 */
const ARGUMENTS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  ArrayContains: [[[1]]],
  ArrayMaxSize: [[3]],
  ArrayMinSize: [[1]],
  ArrayNotContains: [[[1]]],
  ArrayUnique: [[], [(item: unknown) => String(item)]],
  Contains: [['a']],
  Equals: [[1]],
  IsAlpha: [[undefined], ['de-DE']],
  IsAlphanumeric: [[undefined], ['de-DE']],
  IsBase64: [[undefined], [{ urlSafe: true }]],
  IsByteLength: [
    [1, 3],
    [2, undefined],
  ],
  IsCurrency: [[undefined], [{ require_symbol: true }]],
  IsDateString: [[undefined], [{ strict: true }]],
  IsDecimal: [[undefined], [{ decimal_digits: '1' }]],
  IsDivisibleBy: [[2]],
  IsEmail: [[undefined], [{ allow_display_name: true }]],
  IsEnum: [[{ one: 1, a: 'a' }]],
  IsFQDN: [[undefined], [{ require_tld: false }]],
  IsHash: [['md5']],
  IsIBAN: [[undefined], [{ whitelist: ['DE'] }]],
  IsIP: [[undefined], ['6']],
  IsISBN: [[undefined], ['13']],
  IsISO8601: [[undefined], [{ strict: true }]],
  IsISSN: [[undefined], [{ case_sensitive: true }]],
  IsIdentityCard: [[undefined], ['ES']],
  IsIn: [[[1, 'a']]],
  IsInstance: [[Object], [Array]],
  IsMACAddress: [[undefined], [{ no_separators: true }]],
  IsMobilePhone: [
    ['de-DE', undefined],
    [undefined, { strictMode: true }],
  ],
  IsNotEmptyObject: [[undefined], [{ nullable: false }], [{ nullable: true }]],
  IsNotIn: [[[1, 'a']]],
  IsNumber: [[undefined], [{ maxDecimalPlaces: 0 }], [{ allowNaN: true, allowInfinity: true }]],
  IsNumberString: [[undefined], [{ no_symbols: true }]],
  IsPassportNumber: [['DE']],
  IsPhoneNumber: [['DE'], [undefined]],
  IsPostalCode: [['DE'], ['any']],
  IsRgbColor: [[true], [false]],
  IsStrongPassword: [[undefined], [{ minLength: 2, minLowercase: 0, minUppercase: 0, minNumbers: 0, minSymbols: 0 }]],
  IsTaxId: [['de-DE'], [undefined]],
  IsUUID: [[undefined], ['4']],
  IsUrl: [[undefined], [{ require_tld: false }]],
  Length: [
    [1, 3],
    [2, undefined],
  ],
  Matches: [[/^a/], ['^A', 'i']],
  Max: [[5]],
  MaxDate: [[new Date()], [() => new Date()]],
  MaxLength: [[3]],
  Min: [[1]],
  MinDate: [[new Date()], [() => new Date(0)]],
  MinLength: [[1]],
  NotContains: [['a']],
  NotEquals: [[1]],
};

/** Lists of arguments that suit a decorator, without its options. */
export const argumentsOf = (name: string): readonly (readonly unknown[])[] => ARGUMENTS[name] ?? NO_ARGUMENTS;

const NO_ARGUMENTS: readonly (readonly unknown[])[] = [[]];

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
    return argumentsOf(name).every((given) => typeof decorator(...given) === 'function');
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
  Array.from({ length: 40 }, (_, index) => index),
  [...Array.from({ length: 40 }, (_, index) => `${index}`), '7'],
  {},
  { a: 1 },
];

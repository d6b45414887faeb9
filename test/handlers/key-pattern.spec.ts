import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyPattern } from '../../lib/handlers/key-pattern.js';

const patternOf = (text: string): KeyPattern => {
  const pattern = KeyPattern.of(text);
  if (pattern instanceof KeyPattern) return pattern;
  throw new Error(`${text} is not a pattern`);
};

describe('a key pattern', () => {
  it.each([
    ['/tenants/:tenant/limits', '/tenants/', '/tenants/a/limits', { tenant: 'a' }],
    ['/tenants/:tenant/limits', '/tenants/', '/tenants/a/limits/x', undefined],
    ['/tenants/:tenant/limits', '/tenants/', '/tenants/a/b/limits', undefined],
    ['/tenants/:tenant/limits', '/tenants/', '/tenants//limits', undefined],
    ['/tenants/:tenant', '/tenants/', '/tenants/a', { tenant: 'a' }],
    ['/tenants/:tenant', '/tenants/', '/tenants/a/', undefined],
    ['/tenants/:tenant/', '/tenants/', '/tenants/a/b/c', { tenant: 'a' }],
    ['/tenants/:tenant/', '/tenants/', '/tenants/a/', undefined],
    ['tenants/:a/x/:b_2', 'tenants/', 'tenants/1/x/ü:2', { a: '1', b_2: 'ü:2' }],
    ['/v1.0/:id', '/v1.0/', '/v1x0/a', undefined],
    ['/v1.0/:id', '/v1.0/', '/v1.0/a\nb', { id: 'a\nb' }],
    [String.raw`/jobs/\:all/:id`, '/jobs/:all/', '/jobs/:all/7', { id: '7' }],
  ])('%s watches the prefix %s, and matches %s with %j', (text, prefix, key, parameters) => {
    expect(patternOf(text).prefix).toBe(prefix);
    expect(patternOf(text).match(key)).toEqual(parameters);
  });

  it.each([
    ['/orders/', '/orders/'],
    ['/a:b/c:', '/a:b/c:'],
    [String.raw`/jobs/\:all/`, '/jobs/:all/'],
    [String.raw`/a\:b/`, String.raw`/a\:b/`],
  ])('%s has no parameters and is the prefix %s', (text, prefix) => {
    expect(KeyPattern.of(text)).toBe(prefix);
  });

  it.each([
    ['/a/:', /":" in the target "\/a\/:" is not a valid parameter/],
    ['/a/:b.json', /":b.json" in the target .* is not a valid parameter/],
    ['/a/:1', /write a literal segment as "\\\\:1"/],
    ['/a/:b/:b', /has the parameter ":b" twice/],
    [':a/b', /begins with a parameter/],
  ])('%s is rejected with the reason', (text, message) => {
    expect(() => KeyPattern.of(text)).toThrow(message);
  });

  it('finds the values of all parameters in a key', () => {
    const unit = fc.constantFrom('a', 'b', ':', '\\', '.', '*', '+', '(', ')', '[', '{', '|', '^', '$', '-', '\n', 'é');
    const segment = fc.string({ minLength: 1, maxLength: 6, unit });
    const literal = fc.string({ maxLength: 6, unit });
    fc.assert(
      fc.property(fc.array(fc.record({ literal, value: segment }), { minLength: 1, maxLength: 4 }), (segments) => {
        const pattern = patternOf(`/${segments.map(({ literal }, index) => `x${literal}/:p${index}`).join('/')}`);
        const key = `/${segments.map(({ literal, value }) => `x${literal}/${value}`).join('/')}`;
        expect(pattern.match(key)).toEqual(
          Object.fromEntries(segments.map(({ value }, index) => [`p${index}`, value])),
        );
      }),
    );
  });
});

import { Transform } from 'class-transformer';
import { InvalidOptionsError } from '../../etcd-trigger.errors.js';
import { className } from '../../foreign/class-name.js';
import { isMasking, MASK, maskOutput } from './mask.js';
import { addSecretName } from './secret-names.js';
import { isWriting } from './writing.js';

/**
 * Declares a property of a configuration or event class as a secret. `JSON.stringify`, `util.inspect` (`console.log`),
 * `instanceToPlain` of class-transformer and `EtcdTriggerInspector.effective()` show `***` in its place, also in nested
 * objects, lists and maps, and in subclasses. Reading the property, and copies such as `{ ...config }`, give the secret.
 * Writes send the secret, and reject `***` with the violation `masked`. A definition with such a class is excluded from
 * an offline snapshot that is not encrypted.
 *
 * @throws InvalidOptionsError for a static or symbol property, and for a class with a `toJSON` method of its own
 */
export function Secret(): PropertyDecorator {
  return (prototype, name) => {
    const owner = className(typeof prototype === 'function' ? prototype : prototype.constructor);
    if (typeof prototype === 'function' || typeof name === 'symbol') {
      throw new InvalidOptionsError(
        `${owner}.${String(name)}: @Secret() is for instance properties with a text as name`,
      );
    }
    if (Object.hasOwn(prototype, 'toJSON') && !isMasking(Reflect.get(prototype, 'toJSON'))) {
      throw new InvalidOptionsError(
        `${owner}.${name} has @Secret(), which replaces the method ${owner}.toJSON: remove it`,
      );
    }
    addSecretName(prototype, name);
    maskOutput(prototype);
    Transform(({ value, options }): unknown => (isWriting(options) || isNothing(value) ? value : MASK), {
      toPlainOnly: true,
    })(prototype, name);
  };
}

const isNothing = (value: unknown): boolean => value === undefined || value === null;

/** Texts for the names of constraints. Others are shown by name. */
const TEXTS = {
  isInt: () => 'must be a whole number',
  isInteger: () => 'must be a whole number',
  isNumber: () => 'must be a number',
  isString: () => 'must be text',
  isBoolean: () => 'must be true or false',
  isArray: () => 'must be a list',
  isObject: () => 'must be an object',
  nestedValidation: () => 'must be an object',
  isNotEmpty: () => 'must not be empty',
  isDefined: () => 'is missing',
  isUrl: () => 'must be a URL',
  isEnum: ({ enum: allowed }) => (allowed ? `must be one of ${allowed.join(', ')}` : 'is not an allowed value'),
  isIn: ({ enum: allowed }) => (allowed ? `must be one of ${allowed.join(', ')}` : 'is not an allowed value'),
  min: ({ minimum }) => `must be at least ${minimum ?? 'its minimum'}`,
  max: ({ maximum }) => `must be at most ${maximum ?? 'its maximum'}`,
  minLength: ({ minLength }) => `must have at least ${minLength ?? 'its minimum of'} characters`,
  maxLength: ({ maxLength }) => `must have at most ${maxLength ?? 'its maximum of'} characters`,
  matches: ({ pattern }) => (pattern ? `must match ${pattern}` : 'must match its pattern'),
  unknownProperty: () => 'is not a property of the class',
  whitelistValidation: () => 'is not a property of the class',
  masked: () => 'must be entered again, because *** does not stand for a current secret here',
  object: () => 'must be an object',
  required: () => 'is missing',
  json: () => 'must be JSON',
  yaml: () => 'must be YAML',
};

/** Describes violated constraints in a sentence, such as `must be a whole number, must be at least 1`. */
export const constraintText = (constraints, schema = {}) =>
  constraints.map((name) => (Object.hasOwn(TEXTS, name) ? TEXTS[name](schema) : name)).join(', ');

/** Describes a violation with its path. */
export const violationText = ({ path, constraints }) =>
  `${path === '' ? 'The document' : path} ${constraintText(constraints)}`;

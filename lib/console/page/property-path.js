/** The path of a property as the application writes it in violations: `pool.port`, `a["odd name"]`. */
export function propertyPath(parent, name) {
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) return `${parent}[${JSON.stringify(name)}]`;
  return parent === '' ? name : `${parent}.${name}`;
}

/** `hosts` and 2 become `hosts[2]`. */
export const itemPath = (parent, index) => `${parent}[${index}]`;

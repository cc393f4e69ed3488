// Takes values out of one JSON document and puts them into another.

/**
 * The document that `fields` describes: each key is a path in it, each value a path in `source` or, in an object,
 * `{"value": …}` for a constant. Paths are names with dots between; a number is a place in a list.
 */
export function reshape(source, fields) {
  const made = {};
  for (const [path, from] of Object.entries(fields)) {
    const value = typeof from === 'string' ? find(source, from.split('.')) : from?.value;
    if (value !== undefined) {
      put(made, path.split('.'), value);
    }
  }
  return made;
}

function find(source, path) {
  return path.reduce((value, name) => (value !== null && Object.hasOwn(Object(value), name) ? value[name] : undefined), source);
}

function put(target, path, value) {
  const last = path.at(-1);
  let place = target;
  for (const name of path.slice(0, -1)) {
    if (!Object.hasOwn(place, name) || typeof place[name] !== 'object') {
      define(place, name, {});
    }
    place = place[name];
  }
  define(place, last, value);
}

// Also for names such as `__proto__`, which an assignment would not take for a field.
function define(place, name, value) {
  Object.defineProperty(place, name, { value, enumerable: true, configurable: true, writable: true });
}

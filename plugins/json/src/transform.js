// Changes to a document: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396).
import { invalidArguments } from '../../sdk-js/toolhatch-plugin.js';
import { documentOf, source } from './source.js';

/** The document with changes. */
export function transform(args) {
  if (Object.hasOwn(args, 'patch') === Object.hasOwn(args, 'merge')) throw invalidArguments('give either `patch` or `merge`');
  const document = documentOf(args);
  return Object.hasOwn(args, 'merge') ? merged(document, args.merge) : args.patch.reduce(changed, document);
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

function merged(target, patch) {
  if (!isObject(patch)) return patch;
  const result = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, merged(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** One operation of a patch. Nothing is changed in place: a patch that fails leaves no trace. */
function changed(document, operation, index) {
  const fail = (why) => {
    throw invalidArguments(`operation ${index} (${operation.op} ${operation.path}): ${why}`);
  };
  const { op, value } = operation;
  const path = pointer(operation.path, fail);
  const from = op === 'move' || op === 'copy' ? pointer(operation.from ?? fail('it needs `from`'), fail) : [];
  if (['add', 'replace', 'test'].includes(op) && !Object.hasOwn(operation, 'value')) fail('it needs `value`');
  switch (op) {
    case 'add':
      return put(document, path, value, fail);
    case 'remove':
      return drop(document, path, fail);
    case 'replace':
      get(document, path, fail);
      return path.length === 0 ? value : put(drop(document, path, fail), path, value, fail);
    case 'copy':
      return put(document, path, get(document, from, fail), fail);
    case 'move': {
      const moved = get(document, from, fail);
      if (path.length > from.length && from.every((name, at) => name === path[at])) fail('nothing can be moved into itself');
      return from.length === 0 ? document : put(drop(document, from, fail), path, moved, fail);
    }
    default:
      if (!equal(get(document, path, fail), value)) fail('the value is another one');
      return document;
  }
}

/** A JSON Pointer (RFC 6901) as its parts. */
function pointer(text, fail) {
  if (text !== '' && !text.startsWith('/')) fail(`"${text}" is no JSON Pointer: it begins with /`);
  if (/~(?![01])/.test(text)) fail(`"${text}" is no JSON Pointer: after ~ there is 0 or 1`);
  return text.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function position(list, name, fail) {
  const at = /^(0|[1-9][0-9]{0,9})$/.test(name) ? Number(name) : fail(`"${name}" is no position in a list`);
  return at < list.length ? at : fail(`the list has ${list.length} elements, and none at ${name}`);
}

function get(value, [name, ...rest], fail) {
  if (name === undefined) return value;
  if (Array.isArray(value)) return get(value[position(value, name, fail)], rest, fail);
  if (!isObject(value) || !Object.hasOwn(value, name)) fail(`there is no "${name}"`);
  return get(value[name], rest, fail);
}

/** The value with `change` made to what is around the last part of a path. */
function around(value, [name, ...rest], change, fail) {
  if (rest.length === 0) return change(value, name);
  const inner = get(value, [name], fail);
  const after = around(inner, rest, change, fail);
  return Array.isArray(value) ? value.with(position(value, name, fail), after) : { ...value, [name]: after };
}

function put(document, path, value, fail) {
  if (path.length === 0) return value;
  const change = (target, name) => {
    if (Array.isArray(target)) {
      const at = name === '-' || name === String(target.length) ? target.length : position(target, name, fail);
      return target.toSpliced(at, 0, value);
    }
    return isObject(target) ? Object.fromEntries([...Object.entries(target), [name, value]]) : fail(`"${name}" is put into what is no object and no list`);
  };
  return around(document, path, change, fail);
}

function drop(document, path, fail) {
  if (path.length === 0) fail('the whole document cannot be removed');
  get(document, path, fail);
  const change = (target, name) =>
    Array.isArray(target) ? target.toSpliced(position(target, name, fail), 1) : Object.fromEntries(Object.entries(target).filter(([other]) => other !== name));
  return around(document, path, change, fail);
}

function equal(a, b) {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => equal(item, b[at]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]));
}

export default {
  description: 'Changes a JSON document, with a JSON Patch (operations add, remove, replace, move, copy and test) or a JSON Merge Patch.',
  input: {
    type: 'object',
    properties: {
      ...source,
      patch: {
        type: 'array',
        maxItems: 1000,
        description: 'A JSON Patch (RFC 6902). Where an operation fails, nothing is changed. Either this or `merge`.',
        examples: [[{ op: 'add', path: '/users/-', value: { name: 'Grace' } }]],
        items: {
          type: 'object',
          properties: {
            op: { enum: ['add', 'remove', 'replace', 'move', 'copy', 'test'], description: 'What is done.' },
            path: { type: 'string', description: 'Where, as a JSON Pointer.' },
            from: { type: 'string', description: 'What is moved or copied, as a JSON Pointer.' },
            value: { description: 'What is added, put in the place of another, or expected.' },
          },
          required: ['op', 'path'],
        },
      },
      merge: { description: 'A JSON Merge Patch (RFC 7396): what it names is set, what it sets to null is removed. Either this or `patch`.', examples: [{ users: null }] },
    },
    additionalProperties: false,
  },
  output: { description: 'The document with the changes.' },
  run: transform,
};

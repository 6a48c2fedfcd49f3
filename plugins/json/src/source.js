// Where a document comes from: the arguments, or a file.
import { files, invalidArguments } from '../../sdk-js/toolhatch-plugin.js';

const MAX_BYTES = 32 << 20;

/** The properties of arguments that say where a document is. */
export const source = {
  data: { description: 'The document, any JSON value. Either this or `path`.', examples: [{ users: [{ name: 'Ada', admin: true }] }] },
  path: { type: 'string', minLength: 1, description: 'The path of a file with the document, which has to be granted.', examples: ['package.json'] },
};

/** The document that arguments name. */
export function documentOf(args) {
  const given = ['data', 'path'].filter((name) => Object.hasOwn(args, name));
  if (given.length !== 1) throw invalidArguments('give either `data` or `path`');
  return given[0] === 'data' ? args.data : read(args.path);
}

function read(path) {
  const text = files.readText(path, MAX_BYTES);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidArguments(`${path} is not JSON: ${error.message}`);
  }
}

// JSON Schema, by Ajv.
import Ajv from 'ajv';
import Ajv2019 from 'ajv/dist/2019.js';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { invalidArguments } from '../../sdk-js/toolhatch-plugin.js';
import { documentOf, source } from './source.js';

const MAX_PROBLEMS = 100;

/** Whether a document fits a schema, and where it does not. */
export function validate(args) {
  const schema = args.schema;
  const dialect = typeof schema === 'object' ? String(schema?.$schema ?? '') : '';
  const Dialect = dialect.includes('draft-07') || dialect.includes('draft-06') ? Ajv : dialect.includes('2019-09') ? Ajv2019 : Ajv2020;
  const ajv = addFormats(new Dialect({ allErrors: true, strict: false, logger: false }));
  let check;
  try {
    check = ajv.compile(schema);
  } catch (error) {
    if (error instanceof RangeError || error?.name === 'InternalError') throw error;
    throw invalidArguments(`the schema: ${error.message}`);
  }
  const valid = check(documentOf(args));
  const errors = valid ? [] : check.errors;
  const problems = errors.slice(0, MAX_PROBLEMS).map(({ instancePath, message, keyword, params }) => {
    const extra = params.additionalProperty ?? params.unevaluatedProperty ?? params.allowedValues?.map((value) => JSON.stringify(value)).join(', ');
    return { at: instancePath, keyword, message: extra === undefined ? message : `${message}: ${extra}` };
  });
  return { valid, problems, more: errors.length - problems.length };
}

export default {
  description: 'Checks a JSON document against a JSON Schema (2020-12, 2019-09 or draft 7), and lists every place where it does not fit.',
  input: {
    type: 'object',
    properties: {
      ...source,
      schema: { type: ['object', 'boolean'], description: 'The schema. References lead to places within it.', examples: [{ type: 'object', required: ['users'] }] },
    },
    required: ['schema'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      valid: { type: 'boolean', description: 'Whether the document fits.' },
      problems: {
        type: 'array',
        description: 'Where it does not, 100 at most.',
        items: {
          type: 'object',
          properties: {
            at: { type: 'string', description: 'Where in the document, as a JSON Pointer.' },
            keyword: { type: 'string', description: 'The keyword of the schema.' },
            message: { type: 'string', description: 'What is wrong.' },
          },
          required: ['at', 'keyword', 'message'],
        },
      },
      more: { type: 'integer', minimum: 0, description: 'How many problems are not listed.' },
    },
    required: ['valid', 'problems', 'more'],
  },
  run: validate,
};

// JMESPath, by the library of its authors.
import jmespath from 'jmespath';
import { invalidArguments } from '../../sdk-js/toolhatch-plugin.js';
import { documentOf, source } from './source.js';

/** What an expression makes of a document. */
export function query(args) {
  const document = documentOf(args);
  try {
    return jmespath.search(document, args.expression);
  } catch (error) {
    // A stack that is full says nothing of the expression.
    if (error instanceof RangeError || error?.name === 'InternalError') throw error;
    throw invalidArguments(`the expression: ${error.message}`);
  }
}

export default {
  description:
    'Picks values out of a JSON document and reshapes them, with a JMESPath expression such as `users[?admin].name` or `{first: users[0].name, count: length(users)}`.',
  input: {
    type: 'object',
    properties: {
      ...source,
      expression: { type: 'string', minLength: 1, maxLength: 10000, description: 'The JMESPath expression.', examples: ['users[?admin].name'] },
    },
    required: ['expression'],
    additionalProperties: false,
  },
  output: { description: 'What was found; null where there is nothing.' },
  run: query,
};

import { invalidArguments, log, plugin, tool } from '../vendor/toolhatch-plugin.js';

/**
 * Counts the lines, words and characters of a text.
 *
 * @param {{ text: string, words_per_minute?: number }} args
 */
export function wordCount({ text, words_per_minute = 230 }) {
  if (text.includes('\0')) throw invalidArguments('`text` has a NUL character: is it the content of a binary file?');
  const words = text.match(/\S+/g)?.length ?? 0;
  const lines = text === '' ? 0 : text.replace(/\n$/, '').split('\n').length;
  log.debug(`${words} words`);
  return { lines, words, characters: [...text].length, reading_seconds: Math.ceil((words * 60) / words_per_minute) };
}

const count = (description) => ({ type: 'integer', minimum: 0, description });

export const { tools } = plugin({
  'word-count': tool({
    description: 'Counts the lines, words and characters of a text, and says how long it takes to read.',
    input: {
      type: 'object',
      properties: {
        text: { type: 'string', description: 'The text.', examples: ['Well begun is half done.'] },
        words_per_minute: {
          type: 'integer',
          minimum: 50,
          maximum: 1000,
          default: 230,
          description: 'How fast it is read.',
          examples: [230],
        },
      },
      required: ['text'],
      additionalProperties: false,
    },
    output: {
      type: 'object',
      properties: {
        lines: count('How many lines there are.'),
        words: count('How many words there are, separated by white space.'),
        characters: count('How many characters (Unicode code points) there are.'),
        reading_seconds: count('How many seconds it takes to read.'),
      },
      required: ['lines', 'words', 'characters', 'reading_seconds'],
      additionalProperties: false,
    },
    run: wordCount,
  }),
});

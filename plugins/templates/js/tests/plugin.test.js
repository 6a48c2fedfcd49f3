// Ordinary tests: the tools are functions. Those beside it in TOML are run in the sandbox, by `toolhatch plugin test`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tools, wordCount } from '../src/plugin.js';

test('counts lines, words and characters', () => {
  assert.deepEqual(wordCount({ text: 'Well begun\nis half done.\n' }), { lines: 2, words: 5, characters: 25, reading_seconds: 2 });
});

test('an empty text has nothing', () => {
  assert.deepEqual(wordCount({ text: '' }), { lines: 0, words: 0, characters: 0, reading_seconds: 0 });
});

test('refuses what is no text', () => {
  assert.throws(() => wordCount({ text: 'a\0b' }), { kind: 'invalid-arguments' });
});

test('is listed with its schema', () => {
  const [tool] = tools.listTools();
  assert.equal(tool.name, 'word-count');
  assert.deepEqual(JSON.parse(tool.inputSchema).required, ['text']);
});

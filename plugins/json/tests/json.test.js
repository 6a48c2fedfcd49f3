// Ordinary tests of what the tools do, with the examples of the standards. Calls in the sandbox are in json.toml.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { query } from '../src/query.js';
import { transform } from '../src/transform.js';
import { validate } from '../src/validate.js';

const patched = (data, ...patch) => transform({ data, patch });

test('the examples of RFC 6902', () => {
  for (const [data, operation, expected] of [
    [{ foo: 'bar' }, { op: 'add', path: '/baz', value: 'qux' }, { foo: 'bar', baz: 'qux' }],
    [{ foo: ['bar', 'baz'] }, { op: 'add', path: '/foo/1', value: 'qux' }, { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, { op: 'remove', path: '/baz' }, { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, { op: 'remove', path: '/foo/1' }, { foo: ['bar', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, { op: 'replace', path: '/baz', value: 'boo' }, { baz: 'boo', foo: 'bar' }],
    [{ foo: { bar: 'baz', waldo: 'fred' }, qux: {} }, { op: 'move', from: '/foo/waldo', path: '/qux/thud' }, { foo: { bar: 'baz' }, qux: { thud: 'fred' } }],
    [{ foo: ['all', 'grass', 'cows', 'eat'] }, { op: 'move', from: '/foo/1', path: '/foo/3' }, { foo: ['all', 'cows', 'eat', 'grass'] }],
    [{ foo: 'bar' }, { op: 'add', path: '/child', value: { grandchild: {} } }, { foo: 'bar', child: { grandchild: {} } }],
    [{ '/': 9, '~1': 10 }, { op: 'test', path: '/~01', value: 10 }, { '/': 9, '~1': 10 }],
    [{ foo: ['bar'] }, { op: 'add', path: '/foo/-', value: ['abc', 'def'] }, { foo: ['bar', ['abc', 'def']] }],
    [{ a: 1 }, { op: 'copy', from: '/a', path: '/b' }, { a: 1, b: 1 }],
    [{ a: 1 }, { op: 'replace', path: '', value: [2] }, [2]],
    [{ a: { b: [1, null] } }, { op: 'test', path: '/a', value: { b: [1, null] } }, { a: { b: [1, null] } }],
  ]) {
    assert.deepEqual(patched(data, operation), expected, JSON.stringify(operation));
  }
});

test('operations that cannot be done are refused, and name themselves', () => {
  for (const [data, operation, why] of [
    [{ baz: 'qux' }, { op: 'test', path: '/baz', value: 'bar' }, /operation 0 \(test \/baz\): the value is another one/],
    [{ '/': 9, '~1': 10 }, { op: 'test', path: '/~01', value: '10' }, /another one/],
    [{ foo: 'bar' }, { op: 'add', path: '/baz/bat', value: 'qux' }, /there is no "baz"/],
    [{ foo: [1] }, { op: 'add', path: '/foo/3', value: 1 }, /1 elements, and none at 3/],
    [{ foo: [1] }, { op: 'remove', path: '/foo/-' }, /no position/],
    [{ foo: [1] }, { op: 'remove', path: '/foo/01' }, /no position/],
    [{ a: { b: 1 } }, { op: 'move', from: '/a', path: '/a/b/c' }, /into itself/],
    [{ a: 1 }, { op: 'remove', path: '' }, /whole document/],
    [{ a: 1 }, { op: 'add', path: 'a', value: 1 }, /begins with \//],
    [{ a: 1 }, { op: 'add', path: '/a~2', value: 1 }, /after ~/],
    [{ a: 1 }, { op: 'add', path: '/b' }, /needs `value`/],
    [{ a: 1 }, { op: 'copy', path: '/b' }, /needs `from`/],
    [{ a: 1 }, { op: 'replace', path: '/constructor', value: 1 }, /there is no "constructor"/],
  ]) {
    assert.throws(() => patched(data, operation), { kind: 'invalid-arguments', message: why }, JSON.stringify(operation));
  }
  assert.throws(() => patched({ a: 1 }, { op: 'remove', path: '/a' }, { op: 'remove', path: '/a' }), /operation 1/);
});

test('a patch changes nothing that it is given', () => {
  const data = { a: [{ b: 1 }] };
  assert.deepEqual(patched(data, { op: 'add', path: '/a/0/c', value: 2 }, { op: 'remove', path: '/a/0/b' }), { a: [{ c: 2 }] });
  assert.deepEqual(data, { a: [{ b: 1 }] });
  const strange = patched({}, { op: 'add', path: '/__proto__', value: { polluted: true } });
  assert.equal({}.polluted, undefined);
  assert.equal(JSON.stringify(strange), '{"__proto__":{"polluted":true}}');
});

test('the examples of RFC 7396', () => {
  for (const [data, merge, expected] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [['a', 'b'], ['c', 'd'], ['c', 'd']],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ a: 'foo' }, null, null],
  ]) {
    assert.deepEqual(transform({ data, merge }), expected, JSON.stringify(merge));
  }
});

test('expressions', () => {
  const data = { users: [{ name: 'Ada', admin: true }, { name: 'Bob' }] };
  assert.deepEqual(query({ data, expression: 'users[?admin].name' }), ['Ada']);
  assert.deepEqual(query({ data, expression: '{first: users[0].name, count: length(users)}' }), { first: 'Ada', count: 2 });
  assert.equal(query({ data, expression: 'nothing.here' }), null);
  assert.throws(() => query({ data, expression: 'users[' }), { kind: 'invalid-arguments' });
  assert.throws(() => query({ data, expression: 'length(`1`)' }), { kind: 'invalid-arguments' });
  assert.throws(() => query({ expression: 'a' }), /either `data` or `path`/);
});

test('validation', () => {
  const schema = { type: 'object', required: ['b'], properties: { a: { enum: ['x', 'y'] }, e: { format: 'email' } }, additionalProperties: false };
  assert.deepEqual(validate({ data: { b: 1 }, schema: { required: ['b'] } }), { valid: true, problems: [], more: 0 });
  assert.deepEqual(validate({ data: { a: 1, e: 'x', z: 0 }, schema }).problems, [
    { at: '', keyword: 'required', message: "must have required property 'b'" },
    { at: '', keyword: 'additionalProperties', message: 'must NOT have additional properties: z' },
    { at: '/a', keyword: 'enum', message: 'must be equal to one of the allowed values: "x", "y"' },
    { at: '/e', keyword: 'format', message: 'must match format "email"' },
  ]);
  const many = validate({ data: Array(150).fill('x'), schema: { items: { type: 'integer' } } });
  assert.deepEqual([many.problems.length, many.more], [100, 50]);
  // What the dialects have in different ways.
  assert.equal(validate({ data: [1, 'x'], schema: { prefixItems: [{ type: 'integer' }], items: { type: 'integer' } } }).valid, false);
  assert.equal(validate({ data: [1, 'x'], schema: { $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'integer' }], additionalItems: { type: 'integer' } } }).valid, false);
  assert.equal(validate({ data: 1, schema: false }).valid, false);
  assert.throws(() => validate({ data: 1, schema: { type: 'nonsense' } }), { kind: 'invalid-arguments' });
  assert.throws(() => validate({ data: 1, schema: { $ref: 'https://example.com/schema' } }), { kind: 'invalid-arguments', message: /example.com/ });
});

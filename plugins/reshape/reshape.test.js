// Run with `node --test`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reshape } from './reshape.js';

test('values move to where the fields say', () => {
  const source = { user: { name: 'Ada', tags: ['a', 'b'] }, total: 0 };
  const fields = { 'customer.name': 'user.name', 'customer.tag': 'user.tags.1', total: 'total', from: { value: 'shop' } };
  assert.deepEqual(reshape(source, fields), { customer: { name: 'Ada', tag: 'b' }, total: 0, from: 'shop' });
});

test('what is not there is left out', () => {
  assert.deepEqual(reshape({ a: null }, { x: 'a.b', y: 'nothing', z: 'a', w: 'constructor' }), { z: null });
  assert.deepEqual(reshape(undefined, { x: 'a' }), {});
});

test('no name reaches the prototype', () => {
  const made = reshape({ a: 1 }, { '__proto__.polluted': 'a' });
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.keys(made), ['__proto__']);
});

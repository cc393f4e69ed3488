// Uses everything that the helper module has.

import { config, execution, expectSuccess, kv, plugin, publish } from 'innkeeper';

export const handler = plugin(async () => {
  const state = kv.open('state');
  state.set('seen', 'yes');
  state.setJson('sizes', [1, 2]);
  const sums = [state.increment('visits'), state.increment('visits', 4)];
  const swapped = [state.compareAndSwap('lock', undefined, 'ada'), state.compareAndSwap('lock', undefined, 'bob')];
  const sizes = state.updateJson('sizes', (sizes) => [...sizes, 3]);
  state.delete('seen');
  publish('capabilities:used', { by: execution().taskId });
  const url = config.require('url');
  const options = { method: 'POST', body: JSON.stringify({ ask: 1 }), headers: { 'x-one': '1' } };
  const answer = await expectSuccess(await fetch(`${url}/answer`, options));
  return {
    sums,
    swapped,
    sizes,
    lock: state.getText('lock'),
    keys: state.list(),
    some: state.list('l', 1),
    has: [state.has('seen'), state.has('lock')],
    none: [state.get('seen') ?? null, config.get('other') ?? 'default'],
    refused: [await refused(() => kv.open('theirs')), await refused(() => publish('a b'))],
    answer: [answer.status, await answer.json(), answer.headers.get('X-Two')],
    denied: await refused(() => fetch('http://127.0.0.1:9/')),
    busy: await refused(async () => expectSuccess(await fetch(`${url}/busy`))),
  };
});

async function refused(work) {
  try {
    await work();
    return null;
  } catch (error) {
    return [error.constructor.name, error.message, ...(error.after ? [error.after] : [])];
  }
}

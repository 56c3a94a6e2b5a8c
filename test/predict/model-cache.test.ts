import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Copy, ModelCache } from '../../src/predict/model-cache.ts';

const copy = (model: string, thread = 0): Copy => ({ thread, model });
const cacheOf = (bytesMax: number) => {
  const dropped: string[] = [];
  return { cache: new ModelCache(bytesMax, ({ model }) => dropped.push(model)), dropped };
};
const nothing = async () => {};
function gateOf<T>() {
  let open: (value: T) => void = () => {};
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

test('requests that come together share one load, and each acts after it', async () => {
  const { cache } = cacheOf(100);
  const gate = gateOf<number>();
  const order: string[] = [];
  const load = () => {
    order.push('load');
    return gate.opened;
  };
  const all = ['a', 'b', 'c'].map((name) =>
    cache.use(copy('m'), load, async () => void order.push(name)),
  );
  gate.open(10);
  await Promise.all(all);
  assert.deepEqual(order, ['load', 'a', 'b', 'c']);
});

test('above the bound the least recently used goes, and what is in use never', async () => {
  const { cache, dropped } = cacheOf(100);
  const load = (bytes: number) => async () => bytes;
  await cache.use(copy('a'), load(40), nothing);
  await cache.use(copy('b'), load(40), nothing);
  await cache.use(copy('a'), load(40), nothing);
  await cache.use(copy('c'), load(40), nothing);
  assert.deepEqual(dropped, ['b']);
  const gate = gateOf<void>();
  const busy = cache.use(copy('a'), load(40), () => gate.opened);
  await cache.use(copy('d'), load(90), nothing);
  assert.deepEqual(dropped, ['b', 'c', 'd']);
  assert.ok(cache.has(copy('a')));
  gate.open();
  await busy;
  assert.ok(cache.has(copy('a')));
});

test('a load that fails fails for all who wait, and the next one tries again', async () => {
  const { cache } = cacheOf(100);
  let tries = 0;
  const load = async () => {
    tries += 1;
    if (tries === 1) throw new Error('no store');
    return 10;
  };
  const both = await Promise.allSettled([
    cache.use(copy('m'), load, nothing),
    cache.use(copy('m'), load, nothing),
  ]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await cache.use(copy('m'), load, nothing);
  assert.equal(tries, 2);
});

test('copies in two threads are two', async () => {
  const { cache, dropped } = cacheOf(50);
  await cache.use(copy('m', 0), async () => 40, nothing);
  assert.ok(!cache.has(copy('m', 1)));
  await cache.use(copy('m', 1), async () => 40, nothing);
  assert.deepEqual(dropped, ['m']);
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Problem } from '../../src/domain/problem.ts';
import { writeSafetensors } from '../../src/models/weights/safetensors.ts';
import { readWeights } from '../../src/models/weights/weights-file.ts';
import {
  floats,
  op,
  type Saved,
  storedZip,
  torchLegacy,
  torchZip,
} from '../fixtures/torch-file.ts';

const twoTensors = (): Saved =>
  new Map([
    ['a.weight', floats([2, 3], [1, 2, 3, 4, 5, 6])],
    ['a.bias', floats([2], [-1, 0.5])],
  ]);
const expected = { 'a.weight': [1, 2, 3, 4, 5, 6], 'a.bias': [-1, 0.5] };

async function valuesOf(file: Buffer): Promise<Record<string, number[]>> {
  const { tensors } = await readWeights(file);
  return Object.fromEntries(tensors.map(({ name, values }) => [name, [...values()]]));
}

const refusal = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Problem, String(error));
  assert.equal(error.code, 'weights_invalid');
  assert.match(error.message, pattern);
  return true;
};
const pickled = (...ops: Buffer[]) =>
  storedZip([['archive/data.pkl', Buffer.concat([op.proto, ...ops, op.stop])]]);

for (const [name, write] of [
  ['a zip, as torch.save writes it', torchZip],
  ['the older container of torch.save', torchLegacy],
] as const) {
  test(`${name}: tensors under their names`, async () => {
    assert.deepEqual(await valuesOf(write(twoTensors())), expected);
  });

  test(`${name}: learn.save’s model, and what stands beside it is named`, async () => {
    const extra = [op.text('opt'), op.emptyDict];
    const { tensors, leftOut } = await readWeights(write(twoTensors(), { wrap: 'model', extra }));
    assert.deepEqual(
      tensors.map((tensor) => tensor.name),
      ['a.weight', 'a.bias'],
    );
    assert.deepEqual(leftOut, ['opt']);
  });

  test(`${name}: half, bfloat16 and double floats, and integers that nobody decodes`, async () => {
    const tensor = (storage: string, bytes: number[], numel: number) => ({
      shape: [numel],
      storage,
      bytes: Uint8Array.from(bytes),
      numel,
    });
    const saved: Saved = new Map([
      // 1, -2, the smallest subnormal, 65504
      ['half', tensor('HalfStorage', [0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b], 4)],
      ['bfloat', tensor('BFloat16Storage', [0x80, 0x3f, 0x48, 0xc0], 2)],
      ['double', tensor('DoubleStorage', [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1)],
      ['counter', tensor('LongStorage', [7, 0, 0, 0, 0, 0, 0, 0], 1)],
    ]);
    const { tensors } = await readWeights(write(saved));
    const decoded = tensors.slice(0, 3).map(({ values }) => [...values()]);
    assert.deepEqual(decoded, [[1, -2, 2 ** -24, 65504], [1, -3.125], [1.5]]);
    assert.equal(tensors[3]?.type, 'LongStorage');
    assert.throws(() => tensors[3]?.values(), refusal(/"counter" is a LongStorage/));
  });

  test(`${name}: a transposed slice of a larger storage`, async () => {
    const bytes = floats([8], [9, 1, 2, 3, 4, 5, 6, 9]).bytes;
    const saved: Saved = new Map([
      ['t', { shape: [3, 2], stride: [1, 3], offset: 1, bytes, numel: 8 }],
    ]);
    assert.deepEqual(await valuesOf(write(saved)), { t: [1, 4, 2, 5, 3, 6] });
  });

  test(`${name}: a tensor that reaches outside of its storage, or lies on itself, is refused`, async () => {
    const { bytes } = floats([4], [1, 2, 3, 4]);
    const lie = (tensor: { shape: number[]; stride: number[]; offset: number }) =>
      write(new Map([['t', { ...tensor, bytes, numel: 4 }]]));
    await assert.rejects(
      readWeights(lie({ shape: [4], stride: [1], offset: 1 })),
      refusal(/reaches outside/),
    );
    await assert.rejects(
      readWeights(lie({ shape: [2 ** 30, 2 ** 30], stride: [0, 0], offset: 0 })),
      refusal(/reaches outside/),
    );
    await assert.rejects(
      readWeights(lie({ shape: [2, 2], stride: [1, 1], offset: 0 })),
      refusal(/overlap/),
    );
  });
}

test('a file from a machine of the other byte order is turned', async () => {
  const bytes = Buffer.from(floats([2], [1.5, -2]).bytes).swap32();
  const saved: Saved = new Map([['t', { shape: [2], bytes, numel: 2 }]]);
  assert.deepEqual(await valuesOf(torchZip(saved, { byteorder: 'big' })), { t: [1.5, -2] });
});

test('the older container: a list of storages that names another than the pickle does is refused', async () => {
  const file = torchLegacy(twoTensors());
  // the keys stand at the end of the last pickle: ](X"0"X"1"e.
  const at = file.lastIndexOf(Buffer.from('e.')) - 1;
  assert.equal(file[at], '1'.charCodeAt(0));
  for (const key of ['7', '0']) {
    file.write(key, at);
    await assert.rejects(readWeights(file), refusal(/not those that the pickle speaks of/));
  }
});

test('safetensors in f32, f16, bf16 and f64', async () => {
  const json = JSON.stringify({
    half: { dtype: 'F16', shape: [2], data_offsets: [0, 4] },
    bfloat: { dtype: 'BF16', shape: [1], data_offsets: [4, 6] },
    double: { dtype: 'F64', shape: [1], data_offsets: [6, 14] },
    counter: { dtype: 'I64', shape: [], data_offsets: [14, 22] },
  });
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(json.length));
  const data = Buffer.from('003c00c04040000000000000f83f0700000000000000', 'hex');
  const { tensors } = await readWeights(Buffer.concat([head, Buffer.from(json), data]));
  const decoded = tensors.slice(0, 3).map(({ values }) => [...values()]);
  assert.deepEqual(decoded, [[1, -2], [3], [1.5]]);
  assert.throws(() => tensors[3]?.values(), refusal(/"counter" is I64/));
});

test('safetensors: offsets that lie, overlap or leave a hole are refused', async () => {
  const file = (offsets: [number, number][], bytes: number) => {
    const entries = offsets.map((data_offsets, i) => [
      `t${i}`,
      { dtype: 'F32', shape: [1], data_offsets },
    ]);
    const json = JSON.stringify(Object.fromEntries(entries));
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([head, Buffer.from(json), Buffer.alloc(bytes)]);
  };
  await assert.rejects(readWeights(file([[0, 8]], 8)), refusal(/lies at bytes 0 to 8/));
  await assert.rejects(readWeights(file([[4, 8]], 4)), refusal(/the file has 4/));
  const twice: [number, number][] = [
    [0, 4],
    [0, 4],
  ];
  await assert.rejects(readWeights(file(twice, 8)), refusal(/overlap/));
  await assert.rejects(readWeights(file([[4, 8]], 8)), refusal(/hole/));
  await assert.rejects(readWeights(file([[0, 4]], 8)), refusal(/behind its last tensor/));
  const lying = Buffer.from(writeSafetensors([]));
  lying.writeBigUInt64LE(2n ** 63n, 0);
  await assert.rejects(readWeights(lying), refusal(/header would be/));
});

test('what a pickle wants to execute is refused by the name of opcode and global', async () => {
  const system = op.global('os', 'system');
  const call = [system, op.mark, op.text('touch /tmp/owned'), op.tuple, op.reduce];
  await assert.rejects(readWeights(pickled(...call)), refusal(/GLOBAL for "os.system"/));
  const stack = [op.text('builtins'), op.text('eval'), Buffer.from([0x93])];
  await assert.rejects(readWeights(pickled(...stack)), refusal(/GLOBAL for "builtins.eval"/));
  const known = op.global('torch', 'FloatStorage');
  const calls = [known, Buffer.from(')'), op.reduce];
  await assert.rejects(readWeights(pickled(...calls)), refusal(/"torch.FloatStorage" by REDUCE/));
  const none = [op.none, Buffer.from(')'), op.reduce];
  await assert.rejects(readWeights(pickled(...none)), refusal(/"no global" by REDUCE/));
  await assert.rejects(readWeights(pickled(op.none, op.none, op.build)), refusal(/BUILD/));
  for (const [byte, name] of [
    [0x69, 'INST'],
    [0x6f, 'OBJ'],
    [0x81, 'NEWOBJ'],
    [0x92, 'NEWOBJ_EX'],
    [0x82, 'EXT1'],
    [0x83, 'EXT2'],
    [0x84, 'EXT4'],
    [0x50, 'PERSID'],
    [0xff, '0xff'],
  ] as const) {
    await assert.rejects(
      readWeights(pickled(Buffer.from([byte, 0, 0, 0, 0]))),
      refusal(new RegExp(`opcode ${name},`)),
    );
  }
});

test('a pickle of opcodes without end is given up', async () => {
  const dictionaries = Buffer.alloc(600_000, '}');
  await assert.rejects(readWeights(pickled(dictionaries)), refusal(/more than 500000 opcodes/));
});

test('what is no weights file is told what it is', async () => {
  await assert.rejects(readWeights(Buffer.alloc(0)), refusal(/is empty/));
  await assert.rejects(readWeights(Buffer.from('<!DOCTYPE html><html>')), refusal(/DOCTYPE/));
  await assert.rejects(readWeights(pickled(op.int(1))), refusal(/holds a number/));
  const dict = [op.emptyDict, op.mark, op.text('epoch'), op.int(3), op.setItems];
  await assert.rejects(readWeights(pickled(...dict)), refusal(/"epoch", which is a number/));
  const script = storedZip([
    ['m/data.pkl', Buffer.from('N.')],
    ['m/constants.pkl', Buffer.from('N.')],
  ]);
  await assert.rejects(readWeights(script), refusal(/TorchScript/));
});

const peer = (process.env.ONECYCLE_PEER_PYTHON ?? '')
  .split(':')
  .find((python) => python && spawnSync(python, ['-c', 'import torch, numpy']).status === 0);

test('files that real PyTorch saved', {
  skip: peer ? false : 'ONECYCLE_PEER_PYTHON names no Python with torch',
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'onecycle-torch-'));
  const script = `
import collections, sys, numpy, torch
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
opt = torch.optim.Adam(net.parameters(), lr=numpy.float64(1e-3))
net[2](torch.ones(1, 4)).sum().backward(); opt.step()
state = net.state_dict()
values = {name: tensor.double().flatten().tolist() for name, tensor in state.items()}
out = sys.argv[1]
torch.save(state, out + '/new.pth')
torch.save(state, out + '/old.pth', _use_new_zipfile_serialization=False)
for protocol in (2, 3, 4, 5): torch.save(state, f'{out}/p{protocol}.pth', pickle_protocol=protocol)
torch.save({'model': state, 'opt': opt.state_dict()}, out + '/learn.pth')
torch.save({name: torch.nn.Parameter(t) for name, t in state.items() if t.is_floating_point()}, out + '/parameters.pth')
torch.save({'t': torch.arange(24.).reshape(4, 6)[1:, ::2].t()}, out + '/view.pth')
for kind in ('bfloat16', 'half', 'double'):
    torch.save({'t': torch.arange(5, dtype=getattr(torch, kind)) / 2}, f'{out}/{kind}.pth')
torch.save(net, out + '/module.pth')
import json; json.dump(values, open(out + '/values.json', 'w'))
`;
  writeFileSync(join(dir, 'make.py'), script);
  const run = spawnSync(peer as string, [join(dir, 'make.py'), dir], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  const saved = (name: string) => readFileSync(join(dir, name));
  const values = JSON.parse(saved('values.json').toString());
  for (const name of ['new', 'old', 'p2', 'p3', 'p4', 'p5', 'learn', 'parameters']) {
    const { tensors } = await readWeights(saved(`${name}.pth`));
    const found = tensors.filter(({ type }) => type === 'f32');
    assert.equal(found.length, 8, name);
    for (const tensor of found) assert.deepEqual([...tensor.values()], values[tensor.name], name);
  }
  const viewed = [6, 12, 18, 8, 14, 20, 10, 16, 22];
  assert.deepEqual(await valuesOf(saved('view.pth')), { t: viewed });
  for (const kind of ['bfloat16', 'half', 'double']) {
    assert.deepEqual(await valuesOf(saved(`${kind}.pth`)), { t: [0, 0.5, 1, 1.5, 2] });
  }
  await assert.rejects(readWeights(saved('module.pth')), refusal(/GLOBAL|NEWOBJ/));
});

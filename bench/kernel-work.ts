// How much work a kernel's call is at least: multiplications and additions as a direct convolution would do
// them (an algorithm that needs fewer, such as Winograd's, may come out above the machine's peak), or the bytes
// of the tensors that must be read and written once.

import type { KernelTime } from './kernel-clock.ts';

export type KernelWork = {
  name: string;
  /** What all calls of this kind are called together. */
  family: string;
  unit: 'flop' | 'byte';
  amount: number;
  /** In what it multiplies: the head is float32 at every precision. */
  type: 'f32' | 'bf16';
};
type Call = {
  shape(name: string): number[];
  attr(name: string): unknown;
  /** Bytes of these tensors, where they are there. */
  bytes(...names: string[]): number;
};

const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** null: too small to be worth a row. */
export function workOf(time: KernelTime, precision: 'f32' | 'bf16'): KernelWork | null {
  const shape = (name: string) => time.shapes[name] ?? [];
  // image-like tensors are stored at the precision, everything else in float32
  const bytes = (...names: string[]) =>
    names.reduce((sum, name) => {
      const dims = time.shapes[name];
      const each = dims?.length === 4 && precision === 'bf16' ? 2 : 4;
      return sum + (dims ? each * sizeOf(dims) : 0);
    }, 0);
  const of = kinds[time.kernel];
  if (!of) return null;
  const call: Call = { shape, attr: (name) => time.attrs[name], bytes };
  const { name, family, flops, moved, linear } = of(call);
  const type = linear ? 'f32' : precision;
  return flops === undefined
    ? { name, family, unit: 'byte', amount: moved ?? 0, type }
    : { name, family, unit: 'flop', amount: flops, type };
}

type Kind = (call: Call) => {
  name: string;
  family: string;
  flops?: number;
  moved?: number;
  linear?: boolean;
};

const kinds: Record<string, Kind> = {
  OcConv: (call) => convolution(call, 'forward', { x: 'x', filter: 'filter', y: 'out' }),
  OcConvInputGrad: (call) =>
    convolution(call, 'input gradient', { x: 'out', filter: 'filter', y: 'dy' }),
  OcConvFilterGrad: (call) =>
    convolution(call, 'filter gradient', { x: 'x', filter: 'out', y: 'dy' }),
  OcBatchNorm: ({ shape, attr, bytes }) => ({
    name: `batch norm${extras(attr)} forward, ${shape('x').join('x')}`,
    family: 'batch norm forward',
    moved: bytes('x', 'residual', 'out0'),
  }),
  OcBatchNormGrad: ({ shape, attr, bytes }) => ({
    name: `batch norm${extras(attr)} backward, ${shape('x').join('x')}`,
    family: 'batch norm backward',
    // where a residual was added, only y says which values the ReLU let through
    moved: bytes('x', 'dy', ...(attr('hasResidual') ? ['y'] : []), 'out0', 'out3'),
  }),
  OcMaxPool: ({ shape, bytes }) => ({
    name: `max pool forward, ${shape('x').join('x')}`,
    family: 'max pool forward',
    moved: bytes('x', 'out', 'out0'),
  }),
  OcMaxPoolGrad: ({ shape, bytes }) => ({
    name: `max pool backward, ${shape('out').join('x')}`,
    family: 'max pool backward',
    moved: bytes('dy', 'out'),
  }),
  OcGlobalPool: ({ shape, bytes }) => ({
    name: `global pool forward, ${shape('x').join('x')}`,
    family: 'global pool forward',
    moved: bytes('x', 'out0'),
  }),
  OcGlobalPoolGrad: ({ shape, bytes }) => ({
    name: `global pool backward, ${shape('out').join('x')}`,
    family: 'global pool backward',
    moved: bytes('dy', 'out'),
  }),
  OcLinear: ({ shape }) => linear('forward', shape('x'), shape('out')),
  OcLinearInputGrad: ({ shape }) => linear('input gradient', shape('out'), shape('dy')),
  OcLinearWeightGrad: ({ shape }) => linear('weight gradient', shape('x'), shape('dy')),
  Add: ({ shape, bytes }) => ({
    name: `add, ${shape('out').join('x')}`,
    family: 'add',
    moved: bytes('a', 'b', 'out'),
  }),
};

function convolution(
  { shape, attr }: Call,
  way: string,
  names: { x: string; filter: string; y: string },
): ReturnType<Kind> {
  const [, h = 0, w = 0] = shape(names.x);
  const [kh = 0, kw = 0, i = 0, o = 0] = shape(names.filter);
  return {
    name: `conv ${kh}x${kw}/${attr('stride')} ${i} to ${o} ${way}, ${h}x${w}`,
    family: `convolution ${way}`,
    flops: 2 * sizeOf(shape(names.y)) * kh * kw * i,
  };
}

function linear(way: string, x: readonly number[], y: readonly number[]): ReturnType<Kind> {
  const [n = 0, inC = 0] = x;
  const outC = y.at(-1) ?? 0;
  return {
    name: `linear ${inC} to ${outC} ${way}`,
    family: `linear ${way}`,
    flops: 2 * n * inC * outC,
    linear: true,
  };
}

function extras(attr: Call['attr']): string {
  return `${attr('hasResidual') ? ' + residual' : ''}${attr('relu') ? ' + ReLU' : ''}`;
}

/** AdamW reads parameter, gradient and both moments, and writes all but the gradient. */
export function adamwWork(parameters: number): KernelWork {
  const amount = 7 * 4 * parameters;
  return { name: 'AdamW, all parameters', family: 'AdamW', unit: 'byte', amount, type: 'f32' };
}

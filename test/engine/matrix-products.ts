// Run by signals.test.ts: the head's matrix products, over and over.

import { loadNative } from '../../src/engine/onednn/native.ts';

const native = loadNative();
const [rows, inC, outC] = [32, 1024, 512];
const floats = (size: number) => new Float32Array(native.allocate(4 * size)).fill(1);
const [x, weight, y] = [floats(rows * inC), floats(inC * outC), floats(rows * outC)];
for (let i = 0; i < 200; i++) {
  native.linear(rows, inC, outC, x, weight, null, y);
  native.linearInputGrad(rows, inC, outC, y, weight, x);
  native.linearWeightGrad(rows, inC, outC, y, x, weight);
}

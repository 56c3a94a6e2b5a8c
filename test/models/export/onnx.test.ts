// ONNX Runtime on the exported bytes, beside the model itself on the referee.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { startEngine } from '../../../src/engine/engine.ts';
import { evaluationGraph } from '../../../src/models/export/evaluation-graph.ts';
import { writeOnnx } from '../../../src/models/export/onnx.ts';
import { exportCases } from './cases.ts';
import { channelsFirst, furthest, ownAnswer, someImages, trainedModel } from './trained-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });
const classes = 3;

for (const { name, arch, size, head } of exportCases) {
  test(`ONNX of ${name}: ONNX Runtime answers what the model answers, for any batch`, async () => {
    const model = trainedModel(arch, classes, head);
    try {
      const bytes = writeOnnx(await evaluationGraph(model, size), { classes: '["a","b","c"]' });
      const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
      assert.deepEqual(session.inputNames, ['input']);
      assert.deepEqual(session.outputNames, ['probabilities', 'logits']);
      for (const batch of [1, 3]) {
        const shape: [number, number, number, number] = [batch, ...size, 3];
        const images = someImages(shape);
        const own = ownAnswer(model, images, shape);
        const nchw = new Tensor('float32', channelsFirst(images, shape), [batch, 3, ...size]);
        const { probabilities, logits } = await session.run({ input: nchw });
        assert.deepEqual(logits?.dims, [batch, classes]);
        const scale = Math.max(1, ...own.logits.map(Math.abs));
        const logitsApart = furthest(logits?.data as Float32Array, own.logits) / scale;
        const apart = furthest(probabilities?.data as Float32Array, own.probabilities);
        assert.ok(logitsApart < 1e-4 && apart < 1e-4, `${logitsApart} and ${apart} apart`);
      }
      await session.release();
    } finally {
      model.dispose();
    }
  });
}

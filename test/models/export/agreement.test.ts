// ONNX Runtime and TF.js's own loader on what is exported, beside the model itself on the referee.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEngine } from '../../../src/engine/engine.ts';
import { evaluationGraph } from '../../../src/models/export/evaluation-graph.ts';
import { writeOnnx } from '../../../src/models/export/onnx.ts';
import { writeTfjs } from '../../../src/models/export/tfjs.ts';
import { exportCases } from './cases.ts';
import { type Answer, askOnnx, type ImageShape } from './onnx-client.ts';
import { askTfjs } from './tfjs-client.ts';
import { furthest, ownAnswer, someImages, trainedModel } from './trained-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });

for (const { name, arch, size, head } of exportCases) {
  test(`${name}: ONNX Runtime and TF.js answer what the model answers, for any batch`, async () => {
    const model = trainedModel(arch, 3, head);
    try {
      const graph = await evaluationGraph(model, size);
      const onnx = writeOnnx(graph, { classes: '["a","b","c"]' });
      const shape: ImageShape = [2, ...size, 3];
      const images = someImages(shape);
      const own = ownAnswer(model, images, shape);
      assertAgree(await askOnnx(onnx, images, shape), own);
      const tfjs = writeTfjs(graph, {});
      assert.ok(tfjs.shards.every(({ bytes }) => bytes.length <= 4 * 2 ** 20));
      const { inputShape, ...answer } = await askTfjs(tfjs, images, shape);
      assert.deepEqual(inputShape, [-1, ...size, 3]);
      assertAgree(answer, own);
      const [one, first] = [images.subarray(0, images.length / 2), ownRow(own)];
      assertAgree(await askOnnx(onnx, one, [1, ...size, 3]), first);
    } finally {
      model.dispose();
    }
  });
}

function assertAgree(answer: Answer, own: Answer): void {
  assert.ok(new Set(own.logits).size === own.logits.length, 'the model answers one thing to all');
  const scale = Math.max(1, ...own.logits.map(Math.abs));
  const apart = {
    logits: furthest(answer.logits, own.logits) / scale,
    probabilities: furthest(answer.probabilities, own.probabilities),
  };
  assert.ok(apart.logits < 1e-4 && apart.probabilities < 1e-4, JSON.stringify(apart));
}

function ownRow({ logits, probabilities }: Answer): Answer {
  return { logits: logits.subarray(0, 3), probabilities: probabilities.subarray(0, 3) };
}

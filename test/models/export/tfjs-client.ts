import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import type { TfjsFiles } from '../../../src/models/export/tfjs.ts';
import type { Answer, ImageShape } from './onnx-client.ts';

/** What TF.js, in the backend in use, makes of images [N,H,W,3]; it loads the files by HTTP, as a browser does. */
export async function askTfjs(
  { model, shards }: TfjsFiles,
  images: Float32Array,
  shape: ImageShape,
): Promise<Answer & { inputShape: number[] | undefined }> {
  const server = createServer(({ url = '' }, response) => {
    const name = url.slice('/tfjs/'.length);
    // TF.js at work answers nobody: no connection is kept for later
    response.setHeader('connection', 'close');
    if (name === 'model.json') {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(model));
    } else response.end(shards.find((shard) => shard.name === name)?.bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/tfjs/model.json`;
  const loaded = await loadGraphModel(url, { fetchFunc: fetch });
  server.close();
  try {
    return tf.tidy(() => {
      const x = tf.tensor4d(images, shape);
      const logits = (loaded.execute(x, 'logits') as tf.Tensor).dataSync<'float32'>();
      const probabilities = (loaded.predict(x) as tf.Tensor).dataSync<'float32'>();
      return { logits, probabilities, inputShape: loaded.inputs[0]?.shape };
    }) as Answer & { inputShape: number[] | undefined };
  } finally {
    loaded.dispose();
  }
}

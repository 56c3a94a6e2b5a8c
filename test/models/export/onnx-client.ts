import { InferenceSession, Tensor } from 'onnxruntime-node';
import { channelsFirst } from './trained-model.ts';

export type Answer = { logits: Float32Array; probabilities: Float32Array };
export type ImageShape = [number, number, number, number];

/** What ONNX Runtime makes of images [N,H,W,3]. */
export async function askOnnx(
  bytes: Uint8Array,
  images: Float32Array,
  shape: ImageShape,
): Promise<Answer> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  try {
    const [n, h, w, c] = shape;
    const input = new Tensor('float32', channelsFirst(images, shape), [n, c, h, w]);
    const { logits, probabilities } = await session.run({ input });
    // outputs of a model that says float32
    return {
      logits: logits?.data as Float32Array,
      probabilities: probabilities?.data as Float32Array,
    };
  } finally {
    await session.release();
  }
}

// What the addon's kernels for images take, beside native.ts's for tensors; without TF.js, which images do not need.

/**
 * How many numbers describe what an image is put through: height, width; shrink height, width (0, 0: not
 * averaged down); grid height, width (0, 0: pixels pass untouched); 8 coefficients of the warp and 6 of the
 * affine map (the identity where there is none); lit (0 or 1), lighting scale, shift; dihedral; crop row,
 * column; out height, width; padding mode (an index into paddingModes).
 */
export const planStride = 29;
export const paddingModes = ['reflection', 'border', 'zeros'] as const;

export type RenderJob = {
  /** Each [h, w, 3]: bytes, or floats in 0..1. */
  images: readonly (Uint8Array | Float32Array)[];
  /** planStride numbers an image. */
  plans: Float64Array;
  /** 3 means and 3 deviations. */
  normalize: Float32Array | null;
  /** The images one behind the other, float32 or bfloat16. */
  out: Float32Array | Uint16Array;
};

export type ImageKernels = {
  /**
   * Renders on a thread of libuv's pool; no array may change or be transferred before it is done.
   * @throws TypeError that names the image and what was expected, before anything is queued
   */
  renderBatch(job: RenderJob): Promise<void>;
  /** Mixup: y_i = lambda_i * x_i + (1 - lambda_i) * x_order[i]; x and y are stored alike. */
  mixRows(
    rows: number,
    width: number,
    lambdas: Float32Array,
    order: Uint32Array,
    x: Float32Array | Uint16Array,
    y: Float32Array | Uint16Array,
  ): void;
};

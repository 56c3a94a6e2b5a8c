/** Mean and standard deviation per channel of images in 0..1. */
export type ChannelStats = { mean: [number, number, number]; std: [number, number, number] };

/** Of ImageNet's training set; what torchvision's pretrained bodies expect. */
export const imagenetStats: ChannelStats = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** Of one batch [N,H,W,3] in 0..1, with the unbiased deviation, as `data.normalize()` takes them. */
export function batchStats(images: Float32Array): ChannelStats {
  const n = images.length / 3;
  const mean: [number, number, number] = [0, 0, 0];
  const std: [number, number, number] = [0, 0, 0];
  for (const channel of [0, 1, 2] as const) {
    let sum = 0;
    for (let i = channel; i < images.length; i += 3) sum += images[i] ?? 0;
    mean[channel] = sum / n;
    let squares = 0;
    for (let i = channel; i < images.length; i += 3) squares += ((images[i] ?? 0) - sum / n) ** 2;
    std[channel] = Math.sqrt(squares / Math.max(1, n - 1));
  }
  return { mean, std };
}

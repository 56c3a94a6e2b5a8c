/** Squeeze and expand widths by place in torchvision's `features`; the other places are conv, ReLU, pools. */
export const fires = [
  { index: 3, squeeze: 16, expand: 64 },
  { index: 4, squeeze: 16, expand: 64 },
  { index: 6, squeeze: 32, expand: 128 },
  { index: 7, squeeze: 32, expand: 128 },
  { index: 9, squeeze: 48, expand: 192 },
  { index: 10, squeeze: 48, expand: 192 },
  { index: 11, squeeze: 64, expand: 256 },
  { index: 12, squeeze: 64, expand: 256 },
];

/** `features.3.squeeze.weight` -> `0.0.3.squeeze.weight`; null for the classifier. */
export function squeezenetName(torchvision: string): string | null {
  return torchvision.startsWith('features.')
    ? `0.0.${torchvision.slice('features.'.length)}`
    : null;
}

// How far a run may be from fastai's: in double precision, and in single of the two models.

export type Tolerances = {
  loss: number;
  evalLogits: number;
  trainLogits: number;
  params: number;
  sums: number;
  moved: number;
  gradL2: number;
  gradGroupL2: number;
};

export const doubles: Tolerances = {
  loss: 1e-9,
  evalLogits: 1e-9,
  trainLogits: 1e-9,
  params: 1e-9,
  sums: 1e-9,
  moved: 1e-6,
  gradL2: 1e-9,
  gradGroupL2: 1e-9,
};

export const tinyF32: Tolerances = {
  loss: 1e-5,
  evalLogits: 2e-5,
  trainLogits: 2e-5,
  params: 1e-5,
  sums: 1e-5,
  moved: 5e-3,
  gradL2: 1e-5,
  gradGroupL2: 1e-5,
};

export const resnetF32: Tolerances = {
  loss: 2e-4,
  evalLogits: 5e-4,
  trainLogits: 5e-3,
  // single weights of a ResNet can differ by a whole step: Adam turns the sign of a gradient near 0 into one
  params: Number.POSITIVE_INFINITY,
  sums: 1e-5,
  moved: 5e-3,
  gradL2: 1e-3,
  // five times what PyTorch's own float32 is off: docs/decisions/0004-gradients-in-float32.md
  gradGroupL2: 4e-3,
};

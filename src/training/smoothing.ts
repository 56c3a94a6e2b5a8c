/** State of a debiased exponential moving average; data, so that a checkpoint can hold it. */
export type Smoothing = { average: number; count: number; value: number };

export const newSmoothing: Smoothing = { average: 0, count: 0, value: Number.NaN };

/**
 * fastai's SmoothenValue with its float32 rounding after every operation; `value` is the smoothed loss.
 * Golden smoothing.json, to the bit.
 */
export function smooth(state: Smoothing, loss: number, beta = 0.98): Smoothing {
  const f = Math.fround;
  const count = state.count + 1;
  const average = f(f(f(beta) * state.average) + f(f(1 - beta) * f(loss)));
  return { average, count, value: f(average / f(1 - beta ** count)) };
}

/** The same in double precision. */
export function smoothDouble(state: Smoothing, loss: number, beta = 0.98): Smoothing {
  const count = state.count + 1;
  const average = beta * state.average + (1 - beta) * loss;
  return { average, count, value: average / (1 - beta ** count) };
}

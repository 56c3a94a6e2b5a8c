/** Times the loss of a model that guesses. */
const hopeless = 100;
/** Steps in a row, since a job of few steps may jump once and settle. */
const patience = 5;

/** Whether a loss is a hundred times ln C, which is what guessing costs, or no number at all. */
export function isHopeless(loss: number, classes: number): boolean {
  return !(loss <= hopeless * Math.log(Math.max(2, classes)));
}

/**
 * Whether training has gone astray for good: the loss is NaN or infinite, or the step's own and the smoothed
 * loss have both been hopeless for five steps, or until a phase was over. fastai trains on, and hands over a
 * model that does not work. `steps` is what a checkpoint keeps.
 */
export function divergence(
  steps: number,
  {
    loss,
    smoothLoss,
    classes,
    last,
  }: {
    loss: number;
    smoothLoss: number;
    classes: number;
    last: boolean;
  },
): { steps: number; diverged: boolean } {
  if (!Number.isFinite(loss) || !Number.isFinite(smoothLoss)) return { steps, diverged: true };
  if (!isHopeless(loss, classes) || !isHopeless(smoothLoss, classes)) {
    return { steps: 0, diverged: false };
  }
  return { steps: steps + 1, diverged: last || steps + 1 >= patience };
}

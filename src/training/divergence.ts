/** Times the loss of a model that guesses. */
const hopeless = 100;

/**
 * Whether a loss says that training has gone astray for good: it is NaN or infinite, or a hundred times ln C,
 * which is what guessing costs. fastai trains on, and hands over a model that does not work.
 */
export function hasDiverged(loss: number, classes: number): boolean {
  return !Number.isFinite(loss) || loss > hopeless * Math.log(Math.max(2, classes));
}

/** From `start` at p = 0 to `end` at p = 1 along half a cosine (fastai callback.py annealing_cos). */
export function annealCos(start: number, end: number, p: number): number {
  return end + ((start - end) / 2) * (Math.cos(Math.PI * p) + 1);
}

/** From `start` to `end` by equal factors (fastai annealing_exp). */
export function annealExp(start: number, end: number, p: number): number {
  return start * (end / start) ** p;
}

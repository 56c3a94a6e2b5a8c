// fastai1 callbacks/tracker.py as folds over the monitored value: state in, state and decision out.

export type Mode = 'min' | 'max';
export type TrackerState = { best: number | null; wait: number };

export const newTracker: TrackerState = { best: null, wait: 0 };

/** auto: min if the name holds "loss" or "error", else max. */
export function trackerMode(mode: 'auto' | Mode, monitor: string): Mode {
  if (mode !== 'auto') return mode;
  return /loss|error/.test(monitor) ? 'min' : 'max';
}

/** Whether `value` beats the best by more than `minDelta`; the first value always does. */
export function improves(best: number | null, value: number, mode: Mode, minDelta = 0): boolean {
  if (best === null) return !Number.isNaN(value);
  return mode === 'min' ? value + minDelta < best : value - minDelta > best;
}

/** One epoch of EarlyStopping or ReduceLROnPlateau: `out` when `wait` went over the patience. */
export function track(
  state: TrackerState,
  value: number,
  rule: { mode: Mode; minDelta: number; patience: number },
): { state: TrackerState; out: boolean } {
  if (improves(state.best, value, rule.mode, rule.minDelta)) {
    return { state: { best: value, wait: 0 }, out: false };
  }
  const wait = state.wait + 1;
  return { state: { best: state.best, wait }, out: wait > rule.patience };
}

import { setTimeout as delay } from 'node:timers/promises';
import { Problem } from '../src/domain/problem.ts';

const patienceMs = 15 * 60_000;
const waitMsMax = 30_000;

/**
 * Repeats `action` while the store is away, with growing waits, for 15 minutes; other errors pass at once.
 * @throws Problem `storage_unavailable` when the store stays away, or whatever `action` throws.
 */
export async function patiently<T>(
  action: () => Promise<T>,
  options: { signal?: AbortSignal; onWait?: (error: Problem, waitMs: number) => void } = {},
): Promise<T> {
  const begin = Date.now();
  for (let waitMs = 250; ; waitMs = Math.min(waitMsMax, waitMs * 2)) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'storage_unavailable') throw error;
      if (Date.now() - begin > patienceMs) throw error;
      options.onWait?.(error, waitMs);
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}

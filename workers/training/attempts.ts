import type { JobAttempt } from '../../src/domain/job.ts';

const crashesMax = 3;
/** Lost workers count too, more leniently: a job that takes its whole machine down must not do so for ever. */
const deathsMax = 10;

const crashPrefix = 'crashed: ';
const lost = 'worker lost';

/** The `end` of an attempt whose trainer died. */
export function crashed(reason: string): string {
  return `${crashPrefix}${reason}`;
}

/** Why there should be no further attempt, or null: three crashes in a row and none got to a checkpoint. */
export function hopeless(attempts: readonly JobAttempt[]): string | null {
  const reasons: string[] = [];
  let deaths = 0;
  for (const attempt of attempts.toReversed()) {
    if (attempt.progressed) break;
    const end = attempt.end ?? lost;
    if (end.startsWith(crashPrefix)) reasons.push(end.slice(crashPrefix.length));
    if (end.startsWith(crashPrefix) || end === lost) deaths += 1;
  }
  if (reasons.length < crashesMax && deaths < deathsMax) return null;
  const last = reasons[0] ?? 'the worker process was lost';
  return `The trainer died ${deaths} times without saving a checkpoint; the last time: ${last}`;
}

import type { Logger } from 'pino';
import type { Outcome } from '../src/queue/consumer.ts';
import type { ActiveKind, Records } from '../src/store/records.ts';

/** The API puts the marker before the record: within this time the record may still come. */
const recordMayComeMs = 10 * 60_000;
const lookAgainMs = 1000;

/** Work without a record: nobody was ever told of it, so when it is old enough its marker goes. */
export async function dropOrphan(
  kind: ActiveKind,
  id: string,
  { records, logger }: { records: Records; logger: Logger },
): Promise<Outcome> {
  const markedAt = await records.markedAt(kind, id);
  if (markedAt && Date.now() - markedAt.getTime() < recordMayComeMs) {
    return { outcome: 'later', delayMs: lookAgainMs };
  }
  logger.warn('no such record in the store, dropping its marker');
  await records.unmark(kind, id);
  return { outcome: 'done' };
}

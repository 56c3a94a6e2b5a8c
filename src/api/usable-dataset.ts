import type { DatasetReport } from '../domain/dataset.ts';
import { problem } from '../domain/problem.ts';
import type { Records } from '../store/records.ts';

/**
 * The report of a data set that a job names; null while it is processing.
 * @throws Problem `dataset_unknown` where it is not there or somebody else's, `dataset_failed`
 */
export async function readReport(
  records: Records,
  id: string,
  owner: string,
): Promise<DatasetReport | null> {
  const dataset = await records.getDataset(id);
  if (dataset === null || dataset.owner !== owner) {
    throw problem('dataset_unknown', `There is no data set ${id}`, {
      errors: [{ path: 'dataset', message: `expected the id of a data set, ${id} is none` }],
    });
  }
  const report = await records.getReport(id);
  const failure = report?.error;
  if (failure) {
    throw problem('dataset_failed', `${id}: ${failure.message}`, { hint: failure.hint });
  }
  return report;
}

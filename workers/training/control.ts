import type { SupervisorDeps } from './supervisor-deps.ts';

/** The API's word comes by Redis; this often the store is asked as well, in case the word was lost. */
const pollMs = 5000;

/** Watches control.json of a job; `cancel` aborts when the user wants it cancelled. */
export function watchControl(
  jobId: string,
  deps: Pick<SupervisorDeps, 'records' | 'onControl' | 'logger'>,
): { cancel: AbortSignal; close: () => void } {
  const cancel = new AbortController();
  const look = () => {
    deps.records.getControl(jobId).then(
      (control) => {
        if (control?.action === 'cancel') cancel.abort();
      },
      (error: unknown) => deps.logger.warn({ jobId, error }, 'control could not be read'),
    );
  };
  const unsubscribe = deps.onControl(jobId, look);
  const timer = setInterval(look, pollMs);
  return {
    cancel: cancel.signal,
    close() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}

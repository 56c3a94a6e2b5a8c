// A file over HTTP that survives cuts: bytes land in a part file, and whoever goes on, in this process or a later
// one, asks for the rest (Range, with If-Range so that a file that has changed comes whole).

import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

export type DownloadLimits = {
  /** From asking to the answer's headers. */
  headersMs: number;
  /** In each such time at least `idleBytes` must come, else the server hangs. */
  idleMs: number;
  idleBytes: number;
  bytesMax: number;
  /** Once something has come, the rest is asked for again until so long nothing came. */
  patienceMs: number;
  retryMs: number;
};
export const downloadLimits: DownloadLimits = {
  headersMs: 4000,
  idleMs: 8000,
  idleBytes: 4096,
  bytesMax: 4 * 2 ** 30,
  patienceMs: 30_000,
  retryMs: 500,
};

type Progress = { bytes: number; bytesTotal: number | null };
export type DownloadOptions = {
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
  limits?: Partial<DownloadLimits>;
};

/** Why nothing came, for a message: `answers 404`, `gives no answer within 4 s`. */
export class DownloadError extends Error {
  readonly status: number | null;

  constructor(message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.status = options.status ?? null;
  }
}

const Validator = z.object({ url: z.string(), validator: z.string().nullable() });

/**
 * Fetches `url` into the file `part`, from where an earlier try ended. Answers whether it went on from there.
 * @throws DownloadError; `part` keeps what came
 */
export async function download(
  url: string,
  part: string,
  options: DownloadOptions,
): Promise<{ resumed: boolean }> {
  const limits = { ...downloadLimits, ...options.limits };
  let received = 0;
  let resumed = false;
  let receivedAt = Date.now();
  for (let waitMs = limits.retryMs; ; waitMs = Math.min(8000, 2 * waitMs)) {
    const before = received;
    try {
      await fetchRest(url, part, {
        ...options,
        limits,
        onBytes: (bytes, goesOn) => {
          received += bytes;
          receivedAt = Date.now();
          resumed ||= goesOn;
        },
      });
      return { resumed };
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof DownloadError) || error.status !== null) throw error;
      // a server that has given nothing in this run is not there
      if (received === 0 || Date.now() - receivedAt > limits.patienceMs) throw error;
      if (received > before) waitMs = limits.retryMs;
      await delay(waitMs, undefined, { signal: options.signal });
    }
  }
}

async function fetchRest(
  url: string,
  part: string,
  {
    signal,
    onProgress,
    onBytes,
    limits,
  }: DownloadOptions & {
    limits: DownloadLimits;
    onBytes: (bytes: number, goesOn: boolean) => void;
  },
): Promise<void> {
  const have = await bytesOf(part);
  const known = have > 0 ? await validatorOf(part) : null;
  const resumes = known?.url === url;
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (resumes) headers.range = `bytes=${have}-`;
  if (resumes && known.validator) headers['if-range'] = known.validator;

  const patience = new AbortController();
  const hang = (what: string) => patience.abort(new DownloadError(what));
  const headersTimer = setTimeout(
    () => hang(`gives no answer within ${limits.headersMs / 1000} s`),
    limits.headersMs,
  );
  let idleTimer: NodeJS.Timeout | undefined;
  const answer = await fetch(url, {
    headers,
    signal: AbortSignal.any([signal, patience.signal]),
  }).catch((error: unknown) => {
    throw asDownloadError(error, 'does not answer');
  });
  clearTimeout(headersTimer);
  try {
    if (answer.status === 416) {
      await rm(part, { force: true });
      throw new DownloadError('has no bytes behind those that came before');
    }
    if (answer.status !== 200 && answer.status !== 206) {
      // what is on the server's side may pass, and is tried again once something has come
      const status = answer.status < 500 ? { status: answer.status } : {};
      throw new DownloadError(`answers ${answer.status}`, status);
    }
    const goesOn = answer.status === 206 && rangeStart(answer) === have;
    if (answer.status === 206 && !goesOn) {
      await rm(part, { force: true });
      throw new DownloadError('answers with another range than was asked for');
    }
    if (!goesOn) {
      const validator = validatorIn(answer);
      await rm(part, { force: true });
      await writeFile(`${part}.json`, JSON.stringify({ url, validator }));
    }
    let bytes = goesOn ? have : 0;
    const length = Number(answer.headers.get('content-length') ?? Number.NaN);
    const bytesTotal = Number.isNaN(length) ? null : bytes + length;
    let counted = bytes;
    idleTimer = setInterval(() => {
      if (bytes - counted < limits.idleBytes) {
        hang(`brought less than ${limits.idleBytes} bytes in ${limits.idleMs / 1000} s`);
      }
      counted = bytes;
    }, limits.idleMs);
    onProgress({ bytes, bytesTotal });
    const file = await open(part, 'a');
    try {
      for await (const chunk of answer.body ?? []) {
        bytes += chunk.length;
        if (bytes > limits.bytesMax) {
          throw new DownloadError(`is over the limit of ${limits.bytesMax} bytes`, { status: 200 });
        }
        await file.writeFile(chunk);
        onBytes(chunk.length, goesOn);
        onProgress({ bytes, bytesTotal });
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (bytesTotal !== null && bytes < bytesTotal) throw new DownloadError('broke off');
  } catch (error) {
    if (signal.aborted) throw error;
    throw patience.signal.aborted ? patience.signal.reason : asDownloadError(error, 'broke off');
  } finally {
    clearInterval(idleTimer);
    await answer.body?.cancel().catch(() => {});
  }
}

/** What undici throws has its reason in a chain of causes; what the file system throws is not the server's fault. */
function asDownloadError(error: unknown, what: string): unknown {
  if (error instanceof DownloadError || !(error instanceof Error)) return error;
  if ('code' in error && 'syscall' in error && 'path' in error) return error;
  const { cause } = error;
  const reason =
    cause instanceof Error
      ? cause.message || String((cause as { code?: string }).code)
      : error.message;
  return new DownloadError(`${what} (${reason})`, { cause: error });
}

function rangeStart(answer: Response): number | null {
  const [, start] = /^bytes (\d+)-/.exec(answer.headers.get('content-range') ?? '') ?? [];
  return start === undefined ? null : Number(start);
}

/** What If-Range takes: a strong entity tag, else the time of the last change. */
function validatorIn(answer: Response): string | null {
  const etag = answer.headers.get('etag');
  return etag?.startsWith('"') ? etag : answer.headers.get('last-modified');
}

async function validatorOf(part: string): Promise<z.infer<typeof Validator> | null> {
  const text = await readFile(`${part}.json`, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return Validator.parse(JSON.parse(text));
  } catch {
    // half a file of a worker that died: the download begins again
    return null;
  }
}

async function bytesOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

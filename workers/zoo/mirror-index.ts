import { problem } from '../../src/domain/problem.ts';
import { MirrorIndex, type ZooBody } from '../../src/domain/zoo.ts';
import type { Records } from '../../src/store/records.ts';
import { DownloadError, downloadLimits } from './download.ts';

const indexBytesMax = 2 ** 20;

/**
 * Bodies that the mirror adds by its zoo.json, kept in the store for who comes without it; none where it has no such
 * file.
 * @throws DownloadError when nothing answers; Problem `pretrained_unknown` when its zoo.json is not one
 */
export async function fetchMirrorIndex(
  zooUrl: string,
  records: Records,
  signal: AbortSignal,
): Promise<ZooBody[]> {
  const url = `${zooUrl}/zoo.json`;
  const text = await textAt(url, signal);
  if (text === null) return [];
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw problem('pretrained_unknown', `${url} is not JSON`, { cause });
  }
  const parsed = MirrorIndex.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw problem(
      'pretrained_unknown',
      `${url} is not a list of bodies: ${issue?.path.join('.')}: ${issue?.message}`,
      { hint: 'Each has name, arch, file, sha256, normalisation and licence (docs/zoo.md).' },
    );
  }
  await records.putMirrorIndex(text);
  return parsed.data;
}

async function textAt(url: string, signal: AbortSignal): Promise<string | null> {
  const late = AbortSignal.timeout(downloadLimits.headersMs);
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, late]) });
    if (answer.status === 404 || answer.status === 403) return null;
    if (!answer.ok) throw new DownloadError(`answers ${answer.status}`, { status: answer.status });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length;
      if (bytes > indexBytesMax) throw new DownloadError(`has over ${indexBytesMax} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DownloadError) throw error;
    const why = late.aborted
      ? `gives no answer within ${downloadLimits.headersMs / 1000} s`
      : `does not answer (${((error as Error).cause as Error | undefined)?.message ?? (error as Error).message})`;
    throw new DownloadError(why, { cause: error });
  }
}

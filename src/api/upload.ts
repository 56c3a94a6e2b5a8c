// An upload on its way into the store: looked at, counted, never whole in memory.

import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import {
  type ArchiveFormat,
  foreignArchive,
  sniffArchive,
  sniffBytes,
} from '../domain/archive-format.ts';
import type { DatasetOptions } from '../domain/dataset.ts';
import { problem } from '../domain/problem.ts';
import { takeFile, tooLarge } from './take-file.ts';
import { completeParameters, UploadParameters, withField } from './upload-parameters.ts';

type Stored = { bytes: number; sha256: string };
/** An upload that is in the store, and all that was said of it. */
export type Upload = Stored & { format: ArchiveFormat } & { name: string } & DatasetOptions;

/**
 * Takes the archive of a request, its body or the file of a form, into the store by `put`.
 * @throws Problem with nothing stored, or `remove` called
 */
export async function takeUpload(
  request: FastifyRequest,
  said: UploadParameters,
  {
    bytesMax,
    put,
    remove,
  }: { bytesMax: number; put(bytes: Readable): Promise<Stored>; remove(): Promise<void> },
): Promise<Upload> {
  const taken = await takeFile(request, {
    said,
    withField: (before, name, value) => withField(UploadParameters, before, { name, value }),
    complete: completeParameters,
    bytesMax,
    store: async (bytes) => {
      const archive = await sniffed(bytes, bytesMax);
      return { format: archive.format, ...(await put(archive.bytes)) };
    },
    remove,
  });
  return { ...taken.said, ...taken.stored };
}

/**
 * What kind of archive begins here, and the same bytes from the beginning.
 * @throws Problem `not_an_archive` before anything else is read; the stream throws `upload_too_large`
 */
async function sniffed(
  upload: Readable,
  bytesMax: number,
): Promise<{ format: ArchiveFormat; bytes: Readable }> {
  const chunks = upload[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head: Buffer = Buffer.alloc(0);
  let ended = false;
  while (head.length < sniffBytes && !ended) {
    const { value, done } = await chunks.next();
    if (done) ended = true;
    else head = Buffer.concat([head, value]);
  }
  const format = sniffArchive(head);
  if (format === null) throw notAnArchive(head);
  async function* whole() {
    let count = 0;
    for (let chunk = head; ; ) {
      count += chunk.length;
      if (count > bytesMax) throw tooLarge(bytesMax);
      yield chunk;
      const { value, done } = await chunks.next();
      if (done) return;
      chunk = value;
    }
  }
  // pulled by whoever stores it: nothing is read, and nothing can fail, before that
  return { format, bytes: Readable.from(whole(), { objectMode: false }) };
}

function notAnArchive(head: Buffer) {
  if (head.length === 0) return problem('not_an_archive', 'The upload is empty');
  const foreign = foreignArchive(head);
  if (foreign !== null) {
    return problem('not_an_archive', `The upload is a ${foreign} archive, which is not read here`, {
      hint: 'Pack the images as zip or tar.gz.',
    });
  }
  const begin = head.subarray(0, 16).toString('latin1');
  const detail = `The upload begins with ${JSON.stringify(begin)}: neither zip nor tar nor tar.gz`;
  if (!begin.startsWith('--')) return problem('not_an_archive', detail);
  return problem('not_an_archive', detail, {
    hint: 'That looks like a form: leave content-type to the client, which knows the boundary.',
  });
}

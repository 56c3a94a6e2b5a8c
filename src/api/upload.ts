// An upload on its way into the store: looked at, counted, never whole in memory.

import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { type ArchiveFormat, sniffArchive, sniffBytes } from '../domain/archive-format.ts';
import { problem } from '../domain/problem.ts';

/** The bytes of the archive in a request: its body, or the file of a multipart form. */
export async function uploadOf(request: FastifyRequest, bytesMax: number): Promise<Readable> {
  const stated = Number(request.headers['content-length'] ?? 0);
  if (stated > bytesMax) throw tooLarge(bytesMax);
  if (!request.isMultipart()) return request.raw;
  const part = await request.file({ limits: { fileSize: bytesMax, files: 1 } });
  if (!part) {
    throw problem('invalid_request', 'The form has no file', {
      hint: 'Send it as the field `file`: curl -F file=@images.tgz, or the archive itself as the body.',
    });
  }
  part.file.once('limit', () => part.file.destroy(tooLarge(bytesMax)));
  return part.file;
}

/**
 * What kind of archive begins here, and the same bytes from the beginning.
 * @throws Problem `not_an_archive` before anything else is read; the stream throws `upload_too_large`
 */
export async function sniffed(
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
  if (format === null) {
    throw problem(
      'not_an_archive',
      head.length === 0
        ? 'The body is empty'
        : `The body begins with ${JSON.stringify(head.subarray(0, 16).toString('latin1'))}: neither zip nor tar nor tar.gz`,
    );
  }
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

function tooLarge(bytesMax: number) {
  return problem('upload_too_large', `The upload is over the limit of ${bytesMax} bytes`);
}

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
import { isForm, readForm } from './form.ts';
import { completeParameters, type UploadParameters, withField } from './upload-parameters.ts';

type Stored = { bytes: number; sha256: string };
/** An upload that is in the store, and all that was said of it. */
export type Upload = Stored & { format: ArchiveFormat } & { name: string } & DatasetOptions;

/** What the parts and boundaries of a form may add to the file's bytes. */
const formBytesMax = 2 ** 20;

/**
 * Takes the archive of a request, its body or the file of a form, into the store by `put`. Fields count as
 * parameters of the query do, before the file and behind it.
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
  const { headers } = request;
  const form = isForm(headers);
  const stated = Number(headers['content-length'] ?? 0);
  if (stated > bytesMax + (form ? formBytesMax : 0)) throw tooLarge(bytesMax);
  const body = request.body instanceof Readable ? request.body : Readable.from([]);
  const store = async (bytes: Readable) => {
    const archive = await sniffed(bytes, bytesMax);
    return { format: archive.format, ...(await put(archive.bytes)) };
  };
  if (!form) return { ...completeParameters(said), ...(await store(body)) };

  let all = said;
  let stored: Awaited<ReturnType<typeof store>> | null = null;
  let files = 0;
  try {
    await readForm(headers, body, {
      onField: (name, value) => {
        if (name === 'file') throw noFile('The form field file is text, not a file');
        all = withField(all, name, value);
      },
      onFile: async (name, file) => {
        if (name !== 'file') throw noFile(`The form has a file ${JSON.stringify(name)}`);
        files += 1;
        if (files > 1) throw noFile('The form has a second file');
        stored = await store(file);
      },
    });
    if (stored === null) throw noFile('The form has no file');
    return { ...completeParameters(all), ...(stored as Awaited<ReturnType<typeof store>>) };
  } catch (error) {
    if (stored !== null) await remove();
    throw error;
  }
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

function noFile(detail: string) {
  return problem('invalid_request', detail, {
    hint: 'Send one file, as the field `file`: curl -F file=@images.tgz, or the archive itself as the body.',
  });
}

function tooLarge(bytesMax: number) {
  return problem('upload_too_large', `The upload is over the limit of ${bytesMax} bytes`);
}

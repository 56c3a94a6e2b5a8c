// bundle.zip: every file of a model in one archive, made while it is sent. Nothing is compressed, since weights
// hardly are smaller then, and so the length is known before the first byte.

import type { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { ModelCard, StoredFile } from '../domain/model.ts';
import { problem } from '../domain/problem.ts';
import { modelView } from './views.ts';

type Open = (file: StoredFile) => Promise<Readable | null>;

/** The archive; files are opened one after another, and the one that is open is closed when nobody reads on. */
export function bundleOf(card: ModelCard, open: Open): { stream: Readable; bytes: number } {
  const zip = new ZipFile();
  // yazl's stream is a PassThrough, which its type does not say
  const stream = zip.outputStream as Readable;
  let reading: Readable | null = null;
  zip.on('error', (error: Error) => stream.destroy(error));
  stream.once('close', () => reading?.destroy());
  const folder = card.id;
  const mtime = new Date(card.created_at);
  const options = { mtime, compress: false };
  for (const file of card.files) {
    zip.addReadStreamLazy(`${folder}/${file.name}`, { ...options, size: file.bytes }, (done) => {
      open(file).then(
        (body) => {
          if (!body) return done(gone(file), stream);
          reading = body;
          if (stream.destroyed) body.destroy();
          else done(null, body);
        },
        (error) => done(error, stream),
      );
    });
  }
  const view = Buffer.from(`${JSON.stringify(modelView(card), null, 2)}\n`);
  zip.addBuffer(view, `${folder}/model.json`, options);
  return { stream, bytes: end(zip) };
}

function gone({ name }: StoredFile): Error {
  return problem('not_found', `${name} is gone from the store`);
}

/** Ends the archive; answers its length, which is known since every size is. */
function end(zip: ZipFile): number {
  let bytes = -1;
  const take = (total: number) => {
    bytes = total;
  };
  // the callback is handed the size, which its type leaves out
  zip.end({ forceZip64Format: false, comment: '' }, take as () => void);
  if (bytes < 0) throw new Error('bundle.zip: a file of unknown size');
  return bytes;
}

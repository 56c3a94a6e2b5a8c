// The one file of an upload, as the body or in a form, and what is said of it: in the query, in fields of the form
// before the file and behind it.

import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { problem } from '../domain/problem.ts';
import { isForm, readForm } from './form.ts';

/** What the parts and boundaries of a form may add to the file's bytes. */
const formBytesMax = 2 ** 20;

/**
 * Hands the file to `store`; answers what was said of it, complete, and what `store` did.
 * @throws Problem with nothing stored, or `remove` called
 */
export async function takeFile<Said, Complete, Stored>(
  request: FastifyRequest,
  how: {
    said: Said;
    withField: (said: Said, name: string, value: string) => Said;
    complete: (said: Said) => Complete;
    bytesMax: number;
    store: (bytes: Readable) => Promise<Stored>;
    remove: () => Promise<void>;
  },
): Promise<{ said: Complete; stored: Stored }> {
  const { headers } = request;
  const { bytesMax, complete, store } = how;
  const form = isForm(headers);
  const stated = Number(headers['content-length'] ?? 0);
  if (stated > bytesMax + (form ? formBytesMax : 0)) throw tooLarge(bytesMax);
  const body = request.body instanceof Readable ? request.body : Readable.from([]);
  if (!form) {
    const said = complete(how.said);
    return { said, stored: await store(body) };
  }

  let said = how.said;
  const stored: Stored[] = [];
  let files = 0;
  try {
    await readForm(headers, body, {
      onField: (name, value) => {
        if (name === 'file') throw noFile('The form field file is text, not a file');
        said = how.withField(said, name, value);
      },
      onFile: async (name, file) => {
        if (name !== 'file') throw noFile(`The form has a file ${JSON.stringify(name)}`);
        files += 1;
        if (files > 1) throw noFile('The form has a second file');
        stored.push(await store(file));
      },
    });
    const [only] = stored;
    if (only === undefined) throw noFile('The form has no file');
    return { said: complete(said), stored: only };
  } catch (error) {
    if (stored.length > 0) await how.remove();
    throw error;
  }
}

/** The same bytes, which end with an error above the limit. @throws Problem `upload_too_large`, in the stream */
export function limited(bytes: Readable, bytesMax: number): Readable {
  async function* counted() {
    let count = 0;
    for await (const chunk of bytes) {
      count += chunk.length;
      if (count > bytesMax) throw tooLarge(bytesMax);
      yield chunk;
    }
  }
  return Readable.from(counted(), { objectMode: false });
}

export function tooLarge(bytesMax: number) {
  return problem('upload_too_large', `The upload is over the limit of ${bytesMax} bytes`);
}

function noFile(detail: string) {
  return problem('invalid_request', detail, {
    hint: 'Send one file, as the field `file`: curl -F file=@FILE, or as the body itself.',
  });
}

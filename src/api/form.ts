// A multipart form, part by part: small fields as text, one file as a stream.

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyHeaders, type BusboyInstance } from '@fastify/busboy';
import { problem } from '../domain/problem.ts';

const fieldsMax = 32;
const fieldBytesMax = 8192;

export type FormHandlers = {
  /** A field of text; what it throws ends the form. */
  onField(name: string, value: string): void;
  /** A file, which must be read to its end; what it throws or rejects with ends the form. */
  onFile(name: string, file: Readable, fileName: string | null): Promise<void>;
};

/** Whether the body is a multipart form. */
export function isForm(headers: IncomingHttpHeaders): boolean {
  return /^multipart\//i.test(headers['content-type'] ?? '');
}

/**
 * Hands out the parts of a form in their order; resolves when its end was seen and every file was taken.
 * @throws Problem `invalid_request` for what is no form; what a handler throws
 */
export async function readForm(
  headers: IncomingHttpHeaders,
  body: Readable,
  { onField, onFile }: FormHandlers,
): Promise<void> {
  const parser = parserOf(headers);
  const files: Promise<void>[] = [];
  await new Promise<void>((resolve, reject) => {
    let open: Readable | null = null;
    let failed = false;
    const fail = (error: unknown) => {
      if (failed) return;
      failed = true;
      body.unpipe(parser);
      // whoever stores it must not take what came for the whole
      open?.destroy(error as Error);
      void Promise.allSettled(files).then(() => reject(error));
    };
    parser.on('field', (name: string | undefined, value, _nameCut, cut, _encoding, type) => {
      if (failed) return;
      try {
        if (/^multipart\//i.test(type)) {
          throw problem('invalid_request', `The form field ${name} is a form within the form`, {
            hint: 'curl -F makes one of a value that begins with "(": use --form-string.',
          });
        }
        if (cut) throw broken(`The form field ${name} is over ${fieldBytesMax} bytes`);
        onField(named(name), value);
      } catch (error) {
        fail(error);
      }
    });
    parser.on('file', (name: string | undefined, file, fileName: string | undefined) => {
      // it is told of by the parser's error too
      file.on('error', fail);
      if (failed) return void file.resume();
      open = file;
      const taken = Promise.resolve().then(() => onFile(named(name), file, fileName || null));
      files.push(taken);
      taken.catch(fail);
    });
    parser.on('fieldsLimit', () => fail(broken(`The form has more than ${fieldsMax} fields`)));
    parser.on('error', (cause) =>
      fail(broken('The form breaks off before its closing boundary', cause)),
    );
    parser.on('finish', () => void Promise.all(files).then(() => failed || resolve(), fail));
    body.once('error', fail);
    body.pipe(parser);
  });
}

function parserOf(headers: IncomingHttpHeaders): BusboyInstance {
  const type = headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw problem('unsupported_media_type', `A form is sent as multipart/form-data, got ${type}`);
  }
  try {
    return new Busboy({
      headers: headers as BusboyHeaders,
      limits: { fields: fieldsMax, fieldSize: fieldBytesMax },
    });
  } catch (cause) {
    throw problem('invalid_request', 'The content-type of the form names no boundary', {
      hint: 'Leave content-type to the client: fetch sets it for a FormData, curl for -F.',
      cause,
    });
  }
}

function named(name: string | undefined): string {
  if (name === undefined || name === '') throw broken('A part of the form has no name');
  return name;
}

function broken(detail: string, cause?: unknown) {
  return problem('invalid_request', detail, {
    hint: 'Send multipart/form-data as browsers do: curl -F, or fetch with a FormData.',
    ...(cause === undefined ? {} : { cause }),
  });
}

// Images on their way to a prediction: whole in memory, so each has a limit, and all together have one.

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { problem } from '../domain/problem.ts';
import { isForm, readForm } from './form.ts';

/** One image's bytes, and the name of its file where a form gave one. */
export type SentImage = { file: string | null; bytes: Uint8Array };

const imagesMax = 32;
const requestBytesMax = 32 * 2 ** 20;
const roomBytes = 256 * 2 ** 20;
const fileFields = ['image', 'images', 'file', 'files'];

/** Memory for the bodies of predictions that are being read or wait. */
export class ImageRoom {
  private taken = 0;

  /** Does `action` with room for the request's body. @throws Problem `predictor_busy`, `image_too_large` */
  async with<T>({ headers }: FastifyRequest, action: () => Promise<T>): Promise<T> {
    const stated = Number(headers['content-length'] ?? requestBytesMax);
    if (stated > requestBytesMax) throw tooLarge();
    // compressed, it may be any size
    const bytes = headers['content-encoding'] === undefined ? stated : requestBytesMax;
    if (this.taken + bytes > roomBytes) {
      throw problem('predictor_busy', `${this.taken} bytes of images wait already`);
    }
    this.taken += bytes;
    try {
      return await action();
    } finally {
      this.taken -= bytes;
    }
  }
}

/**
 * The image that a body is, or those of a form, in their order.
 * @throws Problem `image_too_large`, `invalid_request`; what reading the body throws
 */
export async function takeImages(
  headers: IncomingHttpHeaders,
  body: Readable,
): Promise<SentImage[]> {
  let left = requestBytesMax;
  const whole = async (stream: Readable) => {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of stream) {
      length += chunk.length;
      left -= chunk.length;
      if (left < 0) throw tooLarge();
      chunks.push(chunk);
    }
    // memory of its own, which can be handed over to another thread
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  };
  if (!isForm(headers)) return [{ file: null, bytes: await whole(body) }];
  const images: SentImage[] = [];
  let count = 0;
  await readForm(headers, body, {
    onField: (name) => {
      throw notUnderstood(
        fileFields.includes(name)
          ? `The form field ${name} is text, not a file`
          : `The form field ${JSON.stringify(name)} is not known; top and tta go into the query`,
      );
    },
    onFile: async (name, stream, file) => {
      if (!fileFields.includes(name)) {
        throw notUnderstood(`The form has a file ${JSON.stringify(name)}`);
      }
      const place = count++;
      if (place >= imagesMax) throw notUnderstood(`The form has more than ${imagesMax} images`);
      images[place] = { file, bytes: await whole(stream) };
    },
  });
  if (images.length === 0) throw notUnderstood('The form has no image');
  return images;
}

function tooLarge() {
  return problem(
    'image_too_large',
    `The images of one request have ${requestBytesMax} bytes together at most`,
  );
}

function notUnderstood(detail: string) {
  return problem('invalid_request', detail, {
    hint: 'Send images as the field `image`, once or more: curl -F image=@cat.jpg; or one as the body.',
  });
}

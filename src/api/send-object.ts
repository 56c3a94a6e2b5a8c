import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { StoredFile } from '../domain/model.ts';
import { problem } from '../domain/problem.ts';
import type { ByteRange } from '../store/object-store.ts';

/** Streams a stored file: whole, the range that is asked for (206), or nothing when the caller has it (304). */
export async function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  file: StoredFile,
  open: (range?: ByteRange) => Promise<Readable | null>,
): Promise<FastifyReply> {
  const etag = `"${file.sha256}"`;
  reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' });
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  const range = rangeOf(request, etag, file.bytes);
  if (range === 'unsatisfiable') {
    return reply.code(416).header('content-range', `bytes */${file.bytes}`).send();
  }
  // HEAD asks for what is said of the file: nothing is opened that nobody would read
  const body = request.method === 'HEAD' ? Readable.from([]) : await open(range ?? undefined);
  if (body === null) throw problem('not_found', `${file.name} is gone from the store`);
  reply.type(file.content_type).header('content-length', file.bytes);
  if (range) {
    reply.code(206).headers({
      'content-range': `bytes ${range.start}-${range.end - 1}/${file.bytes}`,
      'content-length': range.end - range.start,
    });
  }
  return reply.send(body);
}

/** One range of bytes as RFC 9110 has it; several, or a broken header, get the whole. */
function rangeOf(
  { headers }: FastifyRequest,
  etag: string,
  bytes: number,
): ByteRange | 'unsatisfiable' | null {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if ((first === '' && last === '') || (headers['if-range'] ?? etag) !== etag) return null;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes : Math.min(bytes, Number(last) + 1);
  return start < end ? { start, end } : 'unsatisfiable';
}

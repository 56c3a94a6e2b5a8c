// The body of a request on its way in: asked for when it is read (100-continue), timed, decoded. The request's
// own stream is never destroyed: that would close the connection, and the answer with it.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem } from '../domain/problem.ts';
import type { Patience } from './patience.ts';

/** The client hung up before its request was complete: nobody is left to be answered. */
export class ClientLeft extends Error {
  constructor() {
    super('the client left before its request was complete');
    this.name = 'ClientLeft';
  }
}

type Incoming = Readable & { receivedEncodedLength?: number };

/** Requests whose client waits for `100 Continue`, and where to say it. */
const expecting = new WeakMap<IncomingMessage, ServerResponse>();
const bodies = new WeakMap<IncomingMessage, Readable>();
const decoders = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Bodies come as this room has them: `100 Continue` is said when a body is first read, not before. */
export function takeBodies(app: FastifyInstance, patience: Patience): void {
  app.server.on('checkContinue', (raw: IncomingMessage, response: ServerResponse) => {
    expecting.set(raw, response);
    app.server.emit('request', raw, response);
  });
  app.addHook('onSend', async (request, reply) => {
    // whether the body comes after all is the client's choice: only a new connection is unambiguous
    if (expecting.has(request.raw)) reply.header('connection', 'close');
  });
  app.addHook('preParsing', async (request, _reply, payload) =>
    hasBody(request.raw) ? incomingBody(request, patience) : payload,
  );
}

/** Whether the head of the request announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Nobody reads the body of this request any more. */
export function abandonBody(raw: IncomingMessage): void {
  bodies.get(raw)?.destroy();
}

/** @throws Problem `unsupported_media_type` for an encoding that is not known; the stream throws what befalls it */
function incomingBody({ raw }: FastifyRequest, patience: Patience): Incoming {
  const encoding = (raw.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const body = timedBody(raw, patience);
  bodies.set(raw, body);
  if (encoding === 'identity' || encoding === '') return body;
  if (!(encoding in decoders)) {
    throw problem(
      'unsupported_media_type',
      `content-encoding must be gzip, deflate, br or none, got ${JSON.stringify(encoding)}`,
      { hint: 'Send the body as it is, or compressed once, by gzip.' },
    );
  }
  const decoder = decoders[encoding as keyof typeof decoders]();
  body.once('error', (error) => decoder.destroy(error));
  decoder.once('close', () => body.destroy());
  const decoded: Incoming = Readable.from(chunksOf(body.pipe(decoder), encoding), {
    objectMode: false,
  });
  Object.defineProperty(decoded, 'receivedEncodedLength', {
    get: () => body.receivedEncodedLength,
  });
  return decoded;
}

async function* chunksOf(decoder: Readable, encoding: string): AsyncGenerator<Buffer> {
  try {
    yield* decoder;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!/^(Z_|ERR_)/.test(code ?? '')) throw error;
    throw problem(
      'invalid_request',
      `content-encoding says ${encoding}, the body is not: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** The raw bytes, asked for by the first read; too few of them in `stallMs` of waiting end the stream. */
function timedBody(raw: IncomingMessage, { stallMs, stallBytes }: Patience): Incoming {
  let bytes = 0;
  let bytesBefore = 0;
  let timer: NodeJS.Timeout | undefined;
  const rest = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const wait = () => {
    bytesBefore = bytes;
    timer = setTimeout(() => {
      if (bytes - bytesBefore >= stallBytes) return wait();
      body.destroy(
        problem(
          'request_timeout',
          `The body stopped coming: ${bytes - bytesBefore} bytes in ${stallMs / 1000} s, expected at least ${stallBytes}`,
        ),
      );
    }, stallMs);
  };
  const take = (chunk: Buffer) => {
    bytes += chunk.length;
    body.receivedEncodedLength = bytes;
    if (body.push(chunk)) return;
    // now it is the client who waits
    raw.pause();
    rest();
  };
  const end = () => {
    rest();
    body.push(null);
  };
  const closed = () => {
    if (!raw.readableEnded) body.destroy(new ClientLeft());
  };
  let started = false;
  const body: Incoming = new Readable({
    read() {
      if (!started) {
        started = true;
        if (raw.destroyed && !raw.readableEnded) return closed();
        raw.on('data', take).once('end', end).once('close', closed);
        expecting.get(raw)?.writeContinue();
        expecting.delete(raw);
      }
      raw.resume();
      if (!timer && !raw.readableEnded) wait();
    },
    destroy(error, done) {
      rest();
      raw.off('data', take).off('end', end).off('close', closed);
      if (started && !raw.readableEnded) raw.pause();
      done(error);
    },
  });
  // who reads it hears of it; when nobody does any more, nobody need
  body.on('error', () => {});
  // a connection that breaks is told by 'close'
  raw.on('error', () => {});
  return body;
}

// An answer that is ready before the body has come. Closing at once would reset the connection under a client
// that is still sending, and it would never see the answer: so the answer goes out, what still comes is read
// and thrown away within a bound, and then the connection is closed.

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { abandonBody, hasBody } from './incoming.ts';
import type { Patience } from './patience.ts';

/** Sends `text` now and closes the connection when the request's body is over, or the bound is reached. */
export function sendEarly(reply: FastifyReply, text: string, patience: Patience): FastifyReply {
  const { raw } = reply.request;
  if (!hasBody(raw) || raw.complete) return reply.send(text);
  async function* answer() {
    yield text;
    await discardRest(raw, patience);
  }
  return reply
    .headers({ connection: 'close', 'content-length': Buffer.byteLength(text) })
    .send(Readable.from(answer(), { objectMode: false }));
}

/** A body that no route has read doesn't come for ever either. */
export function boundLeftovers(app: FastifyInstance, patience: Patience): void {
  app.addHook('onResponse', async ({ raw }) => {
    if (!hasBody(raw)) return;
    // whatever of it nobody has read: its clock stops
    if (raw.complete) return abandonBody(raw);
    void discardRest(raw, patience).then(() => raw.complete || raw.socket.destroy());
  });
}

/** Resolves when the rest of the body has been read, when the client is gone, or at a bound. */
function discardRest(
  raw: IncomingMessage,
  { discardBytes, discardMs, discardGapMs }: Patience,
): Promise<void> {
  abandonBody(raw);
  return new Promise((resolve) => {
    if (raw.complete || raw.destroyed) return resolve();
    let bytes = 0;
    const count = (chunk: Buffer) => {
      bytes += chunk.length;
      gap.refresh();
      // read no more, but leave the client the time of a gap to see its answer
      if (bytes > discardBytes) raw.pause();
    };
    const end = () => {
      clearTimeout(gap);
      clearTimeout(whole);
      raw.off('data', count).off('end', end).off('close', end);
      resolve();
    };
    const gap = setTimeout(end, discardGapMs);
    const whole = setTimeout(end, discardMs);
    raw.on('data', count).once('end', end).once('close', end).resume();
  });
}

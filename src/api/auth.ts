import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem } from '../domain/problem.ts';

export type OwnedKey = { owner: string; key: string };

const owners = new WeakMap<FastifyRequest, string>();

/** Lets only requests with a known bearer key through, and remembers whose it is. Keys are held hashed. */
export function requireKey(app: FastifyInstance, keys: readonly OwnedKey[]): void {
  const known = keys.map(({ owner, key }) => ({ owner, digest: digestOf(key) }));
  app.addHook('onRequest', async (request, reply) => {
    const [, key] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    const digest = digestOf(key ?? '');
    // every key is compared, so that the time says nothing
    const found = known.filter((entry) => timingSafeEqual(entry.digest, digest));
    const owner = key === undefined ? undefined : found[0]?.owner;
    if (owner === undefined) {
      reply.header('www-authenticate', 'Bearer realm="onecycle"');
      throw problem(
        'unauthorized',
        key === undefined ? 'The request has no API key' : 'The API key is not known here',
      );
    }
    owners.set(request, owner);
  });
}

/** Whose request it is; only behind requireKey. */
export function ownerOf(request: FastifyRequest): string {
  const owner = owners.get(request);
  if (owner === undefined) throw new Error('a route that needs an owner stands outside requireKey');
  return owner;
}

function digestOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ModelId } from '../../domain/ids.ts';
import { type ModelCard, modelFormats } from '../../domain/model.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { bundleOf } from '../model-bundle.ts';
import { sendObject } from '../send-object.ts';

const ById = z.object({ id: z.string() });
const ByName = z.object({ id: z.string(), '*': z.string() });
const bundleName = 'bundle.zip';

export async function modelFileRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;
  const owned = async (request: FastifyRequest, id: string) =>
    found(await records.getModel(checkId(id, ModelId)), id, ownerOf(request));

  app.get('/models/:id/files', { schema: { params: ById } }, async (request) => {
    const { files } = await owned(request, request.params.id);
    return { data: files.map(({ bytes, ...file }) => ({ ...file, size: bytes })) };
  });

  app.get('/models/:id/files/*', { schema: { params: ByName } }, async (request, reply) => {
    const card = await owned(request, request.params.id);
    const wanted = request.params['*'];
    if (wanted === bundleName) {
      const etag = `"${digestOf(card)}"`;
      reply.headers({ etag, 'cache-control': 'private, no-cache' });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      const { stream, bytes } = bundleOf(card, (file) =>
        records.streamModelFile(card.id, file.name),
      );
      return reply
        .type('application/zip')
        .header('content-length', bytes)
        .header('content-disposition', `attachment; filename="${card.id}.zip"`)
        .send(stream);
    }
    const file = card.files.find(({ name }) => name === (modelFormats[wanted] ?? wanted));
    if (!file) {
      const names = card.files.map(({ name }) => name).join(', ');
      throw problem(
        'not_found',
        `${card.id} has no file ${wanted}; it has ${bundleName}, ${names}`,
      );
    }
    const fileName = file.name.split('/').at(-1);
    reply.header('content-disposition', `attachment; filename="${card.id}-${fileName}"`);
    return await sendObject(request, reply, file, (range) =>
      records.streamModelFile(card.id, file.name, range),
    );
  });
}

/** Of names and contents: the same files, the same archive. */
function digestOf({ files, id }: ModelCard): string {
  const all = files.map(({ name, sha256 }) => `${name} ${sha256}`).join('\n');
  return createHash('sha256').update(`${id}\n${all}`).digest('hex');
}

import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ModelId } from '../../domain/ids.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { sendObject } from '../send-object.ts';
import { modelView } from '../views.ts';

const ById = z.object({ id: z.string() });
const ByFormat = z.object({ id: z.string(), format: z.string() });

export async function modelRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;

  app.get('/models/:id', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, ModelId);
    return modelView(found(await records.getModel(id), id, ownerOf(request)));
  });

  app.get('/models/:id/files/:format', { schema: { params: ByFormat } }, async (request, reply) => {
    const { format } = request.params;
    const id = checkId(request.params.id, ModelId);
    const card = found(await records.getModel(id), id, ownerOf(request));
    const file = card.files.find(({ name }) => name.startsWith(`${format}/`));
    if (!file) {
      const formats = [...new Set(card.files.map(({ name }) => name.split('/')[0]))].join(', ');
      throw problem('not_found', `${id} has no ${format}; it has ${formats}`);
    }
    reply.header('content-disposition', `attachment; filename="${id}.${format}"`);
    return await sendObject(request, reply, file, (range) =>
      records.streamModelFile(id, file.name, range),
    );
  });
}

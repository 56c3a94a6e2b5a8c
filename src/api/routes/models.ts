import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ModelId } from '../../domain/ids.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { modelUploadView, modelView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function modelRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;

  app.get('/models/:id', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, ModelId);
    const card = await records.getModel(id);
    if (card) return modelView(found(card, id, ownerOf(request)));
    const upload = found(await records.getModelUpload(id), id, ownerOf(request));
    return modelUploadView(upload, await records.getModelFailure(id));
  });
}

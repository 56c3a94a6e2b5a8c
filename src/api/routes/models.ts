import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ModelId } from '../../domain/ids.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { modelView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function modelRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;

  app.get('/models/:id', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, ModelId);
    return modelView(found(await records.getModel(id), id, ownerOf(request)));
  });
}

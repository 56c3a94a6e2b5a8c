import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LrFindResult } from '../../domain/event.ts';
import { JobId } from '../../domain/ids.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { sendObject } from '../send-object.ts';

const ById = z.object({ id: z.string() });
const ByName = z.object({ id: z.string(), '*': z.string() });
const Steps = z.strictObject({ steps: z.enum(['true', 'false']).default('false') });

/** An artifact that is opened in a browser runs nothing and fetches nothing. */
const asDocument = {
  'content-security-policy':
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  'x-content-type-options': 'nosniff',
};

export async function jobResultRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;
  const owned = async (request: FastifyRequest, id: string) =>
    found(await records.getJob(checkId(id, JobId)), id, ownerOf(request));

  app.get(
    '/jobs/:id/metrics',
    { schema: { params: ById, querystring: Steps } },
    async (request) => {
      const { id } = await owned(request, request.params.id);
      const status = await records.getStatus(id);
      const data = status?.evaluation ? [status.evaluation] : (status?.epochs ?? []);
      if (request.query.steps === 'false') return { data };
      const events = await records.getEvents(id, 1);
      const steps = events.flatMap((event) => {
        if (event.type !== 'step') return [];
        const { seq: _, time: __, type: ___, ...row } = event;
        return [row];
      });
      return { data, steps };
    },
  );

  app.get('/jobs/:id/lr-find', { schema: { params: ById } }, async (request) => {
    const { id } = await owned(request, request.params.id);
    const bytes = await records.getArtifact(id, 'lr_find.json');
    if (bytes === null) throw notYet(id, 'lr_find.json');
    return LrFindResult.parse(JSON.parse(bytes.toString('utf8')));
  });

  const artifact = async (
    request: FastifyRequest,
    reply: FastifyReply,
    of: { id: string; name: string },
  ) => {
    const { id } = await owned(request, of.id);
    const file = (await records.getArtifactList(id)).find(({ name }) => name === of.name);
    if (!file) throw notYet(id, of.name);
    reply.headers(asDocument);
    return await sendObject(request, reply, file, (range) =>
      records.streamArtifact(id, file.name, range),
    );
  };
  app.get('/jobs/:id/interpretation', { schema: { params: ById } }, (request, reply) =>
    artifact(request, reply, { id: request.params.id, name: 'interpretation.json' }),
  );
  app.get('/jobs/:id/report', { schema: { params: ById } }, (request, reply) =>
    artifact(request, reply, { id: request.params.id, name: 'report.html' }),
  );
  for (const kind of ['svg', 'png']) {
    app.get(`/jobs/:id/lr-find.${kind}`, { schema: { params: ById } }, (request, reply) =>
      artifact(request, reply, { id: request.params.id, name: `lr_find.${kind}` }),
    );
  }

  app.get('/jobs/:id/artifacts', { schema: { params: ById } }, async (request) => {
    const { id } = await owned(request, request.params.id);
    const files = await records.getArtifactList(id);
    return { data: files.map(({ bytes, ...file }) => ({ ...file, size: bytes })) };
  });

  app.get('/jobs/:id/artifacts/*', { schema: { params: ByName } }, (request, reply) =>
    artifact(request, reply, { id: request.params.id, name: request.params['*'] }),
  );
}

function notYet(id: string, name: string) {
  return problem('not_found', `${id} has no artifact ${name}`, {
    hint: 'An artifact appears when its part of the job is done: see GET /v1/jobs/{id}/artifacts.',
  });
}

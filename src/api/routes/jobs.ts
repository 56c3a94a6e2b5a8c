import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { JobId, newId } from '../../domain/ids.ts';
import { isTerminal, type JobRecord, jobState } from '../../domain/job.ts';
import { Problem, problem } from '../../domain/problem.ts';
import { parseSpec, type Spec } from '../../domain/spec.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater } from '../enqueue.ts';
import { checkId, found } from '../found.ts';
import { jobView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function jobRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records, queues } = deps;

  app.post('/jobs', async (request, reply) => {
    const spec = parseSpec(request.body);
    await checkReferences(deps, spec, ownerOf(request));
    const id = newId('job');
    const record: JobRecord = {
      id,
      owner: ownerOf(request),
      dataset: spec.dataset,
      spec,
      created_at: new Date().toISOString(),
    };
    await records.mark('training', id);
    await records.putJob(record);
    await enqueueLater(deps, request, 'training', id, { priority: spec.priority });
    return reply
      .code(201)
      .header('location', `/v1/jobs/${id}`)
      .send(jobView(record, null, null, await queuePosition(deps, request, id)));
  });

  app.get('/jobs/:id', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, JobId);
    return await currentView(deps, request, id);
  });

  app.post('/jobs/:id/cancel', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, JobId);
    found(await records.getJob(id), id, ownerOf(request));
    const state = jobState(await records.getStatus(id), await records.getControl(id));
    if (state === 'succeeded' || state === 'failed') {
      throw problem('wrong_state', `${id} is ${state}: there is nothing left to cancel`);
    }
    if (!isTerminal(state) && state !== 'cancelling') {
      await records.putControl(id, { action: 'cancel', time: new Date().toISOString() });
      // a worker that misses the word asks the store every few seconds
      await queues.notifyControl(id).catch((error: unknown) => {
        request.log.warn({ jobId: id, error }, 'the worker was not told');
      });
    }
    return await currentView(deps, request, id);
  });
}

async function currentView(deps: ApiDeps, request: FastifyRequest, id: string) {
  const { records } = deps;
  const record = found(await records.getJob(id), id, ownerOf(request));
  const [status, control] = await Promise.all([records.getStatus(id), records.getControl(id)]);
  const waits = jobState(status, control) === 'queued';
  return jobView(record, status, control, waits ? await queuePosition(deps, request, id) : null);
}

/** The place in the queue; unknown while Redis is away. */
async function queuePosition({ queues }: ApiDeps, request: FastifyRequest, id: string) {
  try {
    return await queues.position(id);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'queue_unavailable') throw error;
    request.log.warn({ jobId: id, reason: error.message }, 'queue position is unknown');
    return null;
  }
}

/**
 * What a spec names must be there and the caller's.
 * @throws Problem `dataset_unknown`, `dataset_failed`, `model_unknown`
 */
async function checkReferences({ records }: ApiDeps, spec: Spec, owner: string): Promise<void> {
  const dataset = await records.getDataset(spec.dataset);
  if (dataset === null || dataset.owner !== owner) {
    throw problem('dataset_unknown', `There is no data set ${spec.dataset}`, {
      errors: [
        { path: 'dataset', message: `expected the id of a data set, ${spec.dataset} is none` },
      ],
    });
  }
  const failure = (await records.getReport(spec.dataset))?.error;
  if (failure) {
    throw problem('dataset_failed', `${spec.dataset}: ${failure.message}`, { hint: failure.hint });
  }
  if (!spec.pretrained?.startsWith('mdl_')) return;
  const model = await records.getModel(spec.pretrained);
  if (model === null || model.owner !== owner) {
    throw problem('model_unknown', `There is no model ${spec.pretrained}`, {
      errors: [{ path: 'pretrained', message: 'expected the id of a model' }],
    });
  }
}

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { DatasetReport } from '../../domain/dataset.ts';
import { factsOfReport, withSizes } from '../../domain/dataset-facts.ts';
import { JobId, newId } from '../../domain/ids.ts';
import { isTerminal, jobState, type TrainingRecord } from '../../domain/job.ts';
import { keptHeadMisfit } from '../../domain/kept-head.ts';
import type { ModelCard } from '../../domain/model.ts';
import { problem } from '../../domain/problem.ts';
import { parseSpec, type Spec } from '../../domain/spec.ts';
import { misfit, takesOwnSizes } from '../../domain/spec-fits.ts';
import { fitWarnings } from '../../domain/spec-warnings.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater, queuePosition } from '../enqueue.ts';
import { checkId, found } from '../found.ts';
import { readReport } from '../usable-dataset.ts';
import { evaluationView, jobView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function jobRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records, queues } = deps;

  app.post('/jobs', async (request, reply) => {
    const spec = parseSpec(request.body);
    const warnings = await checkReferences(deps, spec, ownerOf(request));
    const id = newId('job');
    const record: TrainingRecord = {
      id,
      owner: ownerOf(request),
      type: 'train',
      dataset: spec.dataset,
      spec,
      warnings,
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
  const position = waits ? await queuePosition(deps, request, id) : null;
  return record.type === 'train'
    ? jobView(record, status, control, position)
    : evaluationView(record, status, control, position);
}

/**
 * What a spec names must be there and the caller's, and go together with the data set where that is ready;
 * answers what will be missing all the same.
 * @throws Problem `dataset_unknown`, `dataset_failed`, what befell the model, or why spec and data set don't fit
 */
async function checkReferences({ records }: ApiDeps, spec: Spec, owner: string): Promise<string[]> {
  const report = await readReport(records, spec.dataset, owner);
  const kept = await checkModel(records, spec, owner);
  return report ? await checkFit(records, spec, { report, kept }) : [];
}

/** The model that `pretrained` names. @throws Problem `model_unknown`, `model_failed`, `wrong_state`, `pretrained_unknown` */
async function checkModel(
  records: ApiDeps['records'],
  { pretrained, arch }: Spec,
  owner: string,
): Promise<ModelCard | null> {
  if (!pretrained?.startsWith('mdl_')) return null;
  const card = await records.getModel(pretrained);
  const upload = card ? null : await records.getModelUpload(pretrained);
  if ((card ?? upload)?.owner !== owner) {
    throw problem('model_unknown', `There is no model ${pretrained}`, {
      errors: [{ path: 'pretrained', message: 'expected the id of a model' }],
    });
  }
  if (card === null) {
    const failure = await records.getModelFailure(pretrained);
    if (failure) throw problem('model_failed', `${pretrained}: ${failure.error.message}`);
    throw problem('wrong_state', `${pretrained} is processing: wait until its state is ready`);
  }
  if (card.arch === arch) return card;
  throw problem(
    'pretrained_unknown',
    `${pretrained} is a ${card.arch}, the spec asks for ${arch}`,
    {
      hint: `Set "arch": "${card.arch}".`,
      errors: [{ path: 'arch', message: `expected ${card.arch}, got ${arch}` }],
    },
  );
}

/** The report tells all but the sizes of each split; a manifest can be long and is read for those alone. */
async function checkFit(
  records: ApiDeps['records'],
  spec: Spec,
  { report, kept }: { report: DatasetReport; kept: ModelCard | null },
): Promise<string[]> {
  const { valid_pct, exif_orientation } = spec.data;
  let facts = factsOfReport(report, valid_pct);
  const mayDiffer = report.sizes_total > 1 || exif_orientation === 'apply';
  if (mayDiffer && takesOwnSizes(spec)) {
    const manifest = await records.getManifest(spec.dataset);
    if (manifest) facts = withSizes(facts, manifest.items, spec.data);
  }
  const headReason = spec.head === 'keep' && kept ? keptHeadMisfit(kept, facts.classes) : null;
  const reason = misfit(spec, facts) ?? headReason;
  if (reason) throw reason;
  return fitWarnings(spec, facts);
}

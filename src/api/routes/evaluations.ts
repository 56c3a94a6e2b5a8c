import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  countsOfReport,
  evaluationMisfit,
  evaluationWarnings,
  parseEvaluation,
} from '../../domain/evaluation.ts';
import { ModelId, newId } from '../../domain/ids.ts';
import type { EvaluationRecord } from '../../domain/job.ts';
import { exported } from '../../store/exported-model.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater, queuePosition } from '../enqueue.ts';
import { checkId, found } from '../found.ts';
import { readReport } from '../usable-dataset.ts';
import { evaluationView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function evaluationRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;

  app.post('/models/:id/evaluate', { schema: { params: ById } }, async (request, reply) => {
    const owner = ownerOf(request);
    const model = checkId(request.params.id, ModelId);
    const { classes } = exported(found(await records.getModel(model), model, owner));
    const asked = parseEvaluation(request.body);
    const report = await readReport(records, asked.dataset, owner);
    const counts = report && countsOfReport(report, asked.split);
    const misfit = counts && evaluationMisfit(asked, classes, counts);
    if (misfit) throw misfit;
    const id = newId('job');
    const record: EvaluationRecord = {
      id,
      owner,
      type: 'evaluate',
      model,
      ...asked,
      warnings: counts ? evaluationWarnings(classes, counts) : [],
      created_at: new Date().toISOString(),
    };
    await records.mark('training', id);
    await records.putJob(record);
    await enqueueLater(deps, request, 'training', id);
    const position = await queuePosition(deps, request, id);
    return reply
      .code(201)
      .header('location', `/v1/jobs/${id}`)
      .send(evaluationView(record, null, null, position));
  });
}

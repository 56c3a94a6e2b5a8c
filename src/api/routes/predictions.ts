import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ModelId } from '../../domain/ids.ts';
import type { ModelCard } from '../../domain/model.ts';
import { dataOfPhases } from '../../domain/phase-data.ts';
import { Problem, problem } from '../../domain/problem.ts';
import type { Tta } from '../../predict/request.ts';
import { exported, readExport } from '../../store/exported-model.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';
import { ImageRoom, type SentImage, takeImages } from '../images.ts';

const ById = z.object({ id: z.string() });
const How = z.strictObject({
  top: z.coerce.number().int().min(1).max(1000).optional(),
  tta: z.enum(['true', 'false']).default('false'),
});
/** fastai's own, where the model's job says nothing. */
const ttaDefault = { beta: 0.4, scale: 1.35 };

export async function predictionRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records, predictor } = deps;
  const room = new ImageRoom();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  app.post(
    '/models/:id/predict',
    { schema: { params: ById, querystring: How } },
    async (request, reply) => {
      const id = checkId(request.params.id, ModelId);
      const card = exported(found(await records.getModel(id), id, ownerOf(request)));
      const tta = request.query.tta === 'true' ? await ttaOf(deps, card) : null;
      return await retryLater(reply, () =>
        room.with(request, async () => {
          const images = await imagesOf(request);
          const rows = await predictor.predict({
            model: id,
            images: images.map(({ bytes }) => bytes),
            tta,
            read: () => readExport(records, id),
          });
          const top = request.query.top ?? card.classes.length;
          const data = images.map(({ file }, index) => ({
            file,
            predictions: ranked(card.classes, rows[index] ?? new Float32Array(), top),
          }));
          return { model: id, tta: tta !== null, data };
        }),
      );
    },
  );
}

/** A refusal for want of room says when to come back. */
async function retryLater<T>(reply: FastifyReply, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof Problem && error.code === 'predictor_busy') {
      reply.header('retry-after', '1');
    }
    throw error;
  }
}

async function imagesOf(request: FastifyRequest): Promise<SentImage[]> {
  const { headers, body } = request;
  if (/^application\/([\w.-]+\+)?json\b/i.test(headers['content-type'] ?? '')) {
    throw problem('unsupported_media_type', 'Predictions take images, not JSON', {
      hint: 'URLs are not fetched from here: fetch the image, and send its bytes as the body or as the form field `image`.',
    });
  }
  return await takeImages(headers, body instanceof Readable ? body : Readable.from([]));
}

/** As the model's own job would augment: its last phase's transforms, its beta and scale. */
async function ttaOf({ records }: ApiDeps, card: ModelCard): Promise<Tta> {
  const { provenance } = card;
  const job = 'job' in provenance ? await records.getJob(provenance.job) : null;
  if (job?.type !== 'train') return { transforms: null, ...ttaDefault };
  const { spec } = job;
  const phases = spec.phases.flatMap((phase) => ('data' in phase ? [phase] : []));
  const { transforms } = dataOfPhases(spec.data, phases).at(-1) ?? spec.data;
  return { transforms, ...(spec.evaluation.tta ?? ttaDefault) };
}

/** The likeliest classes first; equals in the order of the classes. */
function ranked(classes: readonly string[], row: Float32Array, top: number) {
  return classes
    .map((name, index) => ({ class: name, probability: row[index] ?? 0 }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, top);
}

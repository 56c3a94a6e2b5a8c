import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { fieldErrors } from '../../domain/field-errors.ts';
import { newId } from '../../domain/ids.ts';
import {
  ClassesText,
  ModelParameters,
  type ModelUpload,
  NormalizeText,
  weightsBytesMax,
} from '../../domain/model-upload.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater } from '../enqueue.ts';
import { limited, takeFile } from '../take-file.ts';
import { withField } from '../upload-parameters.ts';
import { modelUploadView } from '../views.ts';

/** Weights become a model: stored here, read by a worker. */
export async function modelUploadRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records } = deps;
  const bytesMax = Math.min(deps.maxUploadBytes, weightsBytesMax);
  // whatever its content type, the body of an upload is a stream of bytes
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  app.post('/models', { schema: { querystring: ModelParameters } }, async (request, reply) => {
    const id = newId('mdl');
    const { said, stored } = await takeFile(request, {
      said: request.query,
      withField: (before, name, value) => withField(ModelParameters, before, { name, value }),
      complete,
      bytesMax,
      store: (bytes) => records.putModelSource(id, limited(bytes, bytesMax)),
      remove: () => records.deleteModelSource(id),
    });
    const upload: ModelUpload = {
      id,
      owner: ownerOf(request),
      ...said,
      ...stored,
      created_at: new Date().toISOString(),
    };
    await records.mark('ingest', id);
    await records.putModelUpload(upload);
    await enqueueLater(deps, request, 'ingest', id);
    return reply
      .code(201)
      .header('location', `/v1/models/${id}`)
      .send(modelUploadView(upload, null));
  });
}

/** @throws Problem `invalid_query` */
function complete({ arch, name = '', normalize = 'imagenet', classes }: ModelParameters) {
  if (arch === undefined) {
    throw bad('arch', `expected one of ${ModelParameters.shape.arch.unwrap().options.join(', ')}`);
  }
  return {
    arch,
    name,
    normalize: parsed(NormalizeText, 'normalize', normalize),
    classes: classes === undefined ? null : parsed(ClassesText, 'classes', classes),
  };
}

function parsed<T>(schema: z.ZodType<T, string>, path: string, text: string): T {
  const result = schema.safeParse(text, { reportInput: true });
  if (result.success) return result.data;
  throw bad(path, fieldErrors(result.error)[0]?.message ?? 'not valid');
}

function bad(path: string, message: string) {
  return problem('invalid_query', `${path}: ${message}`, { errors: [{ path, message }] });
}

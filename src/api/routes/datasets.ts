import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { DatasetRecord } from '../../domain/dataset.ts';
import { DatasetId, newId } from '../../domain/ids.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater } from '../enqueue.ts';
import { checkId, found } from '../found.ts';
import { takeUpload } from '../upload.ts';
import { UploadParameters } from '../upload-parameters.ts';
import { datasetView } from '../views.ts';

const ById = z.object({ id: z.string() });

export async function datasetRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records, maxUploadBytes } = deps;
  // whatever its content type, the body of an upload is a stream of bytes
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));

  app.post('/datasets', { schema: { querystring: UploadParameters } }, async (request, reply) => {
    const id = newId('ds');
    const upload = await takeUpload(request, request.query, {
      bytesMax: maxUploadBytes,
      put: (bytes) => records.putSource(id, bytes),
      remove: () => records.deleteSource(id),
    });
    const record: DatasetRecord = {
      id,
      owner: ownerOf(request),
      ...upload,
      created_at: new Date().toISOString(),
    };
    await records.mark('ingest', id);
    await records.putDataset(record);
    await enqueueLater(deps, request, 'ingest', id);
    return reply
      .code(201)
      .header('location', `/v1/datasets/${id}`)
      .send(datasetView(record, null, null));
  });

  app.get('/datasets/:id', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, DatasetId);
    const record = found(await records.getDataset(id), id, ownerOf(request));
    // the manifest last: it exists only when the report does
    const manifest = await records.getManifest(id);
    return datasetView(record, await records.getReport(id), manifest);
  });

  app.get('/datasets/:id/report', { schema: { params: ById } }, async (request) => {
    const id = checkId(request.params.id, DatasetId);
    found(await records.getDataset(id), id, ownerOf(request));
    const report = await records.getReport(id);
    if (report) return report;
    throw problem('not_found', `${id} is still processing: its report comes with its end`);
  });
}

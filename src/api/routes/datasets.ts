import multipart from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type DatasetRecord, Layout } from '../../domain/dataset.ts';
import { DatasetId, newId } from '../../domain/ids.ts';
import { problem } from '../../domain/problem.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { enqueueLater } from '../enqueue.ts';
import { checkId, found } from '../found.ts';
import { sniffed, uploadOf } from '../upload.ts';
import { datasetView } from '../views.ts';

const Upload = z.strictObject({
  name: z.string().max(200).default(''),
  layout: Layout.default('auto'),
  pattern: z.string().min(1).max(1000).optional(),
  csv: z.string().min(1).max(1024).optional(),
  name_column: z.string().min(1).max(200).optional(),
  label_column: z.string().min(1).max(200).optional(),
  encoding: z.string().min(1).max(40).optional(),
});
const ById = z.object({ id: z.string() });

export async function datasetRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const { records, maxUploadBytes } = deps;
  // whatever its content type, the body of an upload is a stream of bytes
  app.removeAllContentTypeParsers();
  await app.register(multipart);
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));

  app.post('/datasets', { schema: { querystring: Upload } }, async (request, reply) => {
    const { name, layout, pattern = null, ...said } = request.query;
    if ((layout === 'name_re') !== (pattern !== null)) {
      throw problem(
        'invalid_query',
        'layout=name_re and pattern=<regular expression> go together',
        {
          errors: [{ path: 'pattern', message: 'expected with layout=name_re, and only there' }],
        },
      );
    }
    const upload = await uploadOf(request, maxUploadBytes);
    const { format, bytes } = await sniffed(upload, maxUploadBytes);
    const id = newId('ds');
    const source = await records.putSource(id, bytes);
    const record: DatasetRecord = {
      id,
      owner: ownerOf(request),
      name,
      layout,
      pattern,
      csv: said.csv ?? null,
      name_column: said.name_column ?? null,
      label_column: said.label_column ?? null,
      encoding: said.encoding ?? null,
      format,
      ...source,
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

// The API: parses, writes records, enqueues, reads records. It computes nothing and loads no engine.

import { type FastifyInstance, fastify, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { ulid } from 'ulid';
import { requireKey } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { answerProblems } from './problems.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { jobEventRoutes } from './routes/job-events.ts';
import { jobResultRoutes } from './routes/job-results.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelRoutes } from './routes/models.ts';
import { systemRoutes } from './routes/system.ts';

const jsonBytesMax = 2 ** 20;

/** The API, ready to listen or to be injected into. */
export async function buildApp(deps: ApiDeps): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: deps.logger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    bodyLimit: jsonBytesMax,
    // a long upload is not a slow request; headers still have their time limit
    requestTimeout: 0,
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : `req_${ulid()}`;
    },
    routerOptions: { ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    const level =
      reply.statusCode >= 500 ? 'warn' : /^\/(healthz|readyz)/.test(url) ? 'debug' : 'info';
    const ms = Math.round(reply.elapsedTime);
    request.log[level]({ method, url, status: reply.statusCode, ms }, 'answered');
  });
  answerProblems(app);
  await app.register(systemRoutes, deps);
  await app.register(
    async (v1) => {
      requireKey(v1, deps.apiKeys);
      await v1.register(datasetRoutes, deps);
      await v1.register(jobRoutes, deps);
      await v1.register(jobEventRoutes, deps);
      await v1.register(jobResultRoutes, deps);
      await v1.register(modelRoutes, deps);
    },
    { prefix: '/v1' },
  );
  return app;
}

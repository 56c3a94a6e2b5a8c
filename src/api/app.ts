// The API: parses, writes records, enqueues, reads records. It computes nothing and loads no engine.

import { type FastifyInstance, type FastifyReply, fastify, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { ulid } from 'ulid';
import { requireKey } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { boundLeftovers } from './early-answer.ts';
import { takeBodies } from './incoming.ts';
import { jsonBytesMax, takeJson } from './json-body.ts';
import { answerParserError, rememberAnswer } from './parser-errors.ts';
import { patience as defaultPatience } from './patience.ts';
import { answerBadUrl, answerProblems } from './problems.ts';
import { datasetRoutes } from './routes/datasets.ts';
import { evaluationRoutes } from './routes/evaluations.ts';
import { jobEventRoutes } from './routes/job-events.ts';
import { jobResultRoutes } from './routes/job-results.ts';
import { jobRoutes } from './routes/jobs.ts';
import { modelFileRoutes } from './routes/model-files.ts';
import { modelUploadRoutes } from './routes/model-uploads.ts';
import { modelRoutes } from './routes/models.ts';
import { predictionRoutes } from './routes/predictions.ts';
import { systemRoutes } from './routes/system.ts';
import { zooRoutes } from './routes/zoo.ts';

/** The API, ready to listen or to be injected into. */
export async function buildApp(deps: ApiDeps): Promise<FastifyInstance> {
  const patience = deps.patience ?? defaultPatience;
  const app = fastify({
    loggerInstance: deps.logger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'requestId',
    }),
    bodyLimit: jsonBytesMax,
    // a long upload is not a slow request; heads have their time limit, bodies a pace (incoming.ts)
    requestTimeout: 0,
    http: {
      headersTimeout: patience.headersMs,
      connectionsCheckingInterval: patience.headersMs / 4,
    },
    clientErrorHandler: answerParserError,
    frameworkErrors: (error, request, reply) =>
      answerBadUrl(error, request.id, reply as unknown as FastifyReply),
    genReqId: ({ headers }) => {
      const given = headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : `req_${ulid()}`;
    },
    routerOptions: { ignoreTrailingSlash: true },
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.addHook('onRequest', async (request, reply) => {
    rememberAnswer(request.raw, reply.raw);
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    const level =
      reply.statusCode >= 500 ? 'warn' : /^\/(healthz|readyz)/.test(url) ? 'debug' : 'info';
    const ms = Math.round(reply.elapsedTime);
    request.log[level]({ method, url, status: reply.statusCode, ms }, 'answered');
  });
  answerProblems(app, patience);
  takeBodies(app, patience);
  takeJson(app);
  boundLeftovers(app, patience);
  await app.register(systemRoutes, deps);
  await app.register(
    async (v1) => {
      requireKey(v1, deps.apiKeys);
      await v1.register(datasetRoutes, deps);
      await v1.register(jobRoutes, deps);
      await v1.register(jobEventRoutes, deps);
      await v1.register(jobResultRoutes, deps);
      await v1.register(modelRoutes, deps);
      await v1.register(modelUploadRoutes, deps);
      await v1.register(zooRoutes, deps);
      await v1.register(modelFileRoutes, deps);
      await v1.register(evaluationRoutes, deps);
      await v1.register(predictionRoutes, deps);
    },
    { prefix: '/v1' },
  );
  return app;
}

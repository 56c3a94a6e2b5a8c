// The one place that turns what was thrown into an answer (RFC 9457).

import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { type FieldError, Problem, problem } from '../domain/problem.ts';
import { sendEarly } from './early-answer.ts';
import { ClientLeft } from './incoming.ts';
import { jsonBytesMax } from './json-body.ts';
import type { Patience } from './patience.ts';
import { problemBody } from './problem-body.ts';

export function answerProblems(app: FastifyInstance, patience: Patience): void {
  app.setErrorHandler((error: FastifyError | Problem, request, reply) => {
    if (left(error)) return reply.hijack();
    const known = asProblem(error);
    // one that asks to come again is no fault of anything
    if (known.status >= 500 && known.code !== 'predictor_busy')
      request.log.error({ error }, 'request failed');
    const body = JSON.stringify(problemBody(known, request.id));
    reply.code(known.status).type('application/problem+json');
    // who is too slow to be read is not read on for long
    const { discardGapMs, discardMs } = patience;
    const longest = known.code === 'request_timeout' ? discardGapMs : discardMs;
    return sendEarly(reply, body, { ...patience, discardMs: longest });
  });
  app.addHook('onRequest', async (request) => {
    // before the body, whose kind is of no matter here
    if (request.is404) throw noSuchCall(request.method, request.url);
  });
  app.addHook('onRequestAbort', async (request) => {
    const { method, url } = request;
    request.log.info({ method, url }, 'client left');
  });
  app.setNotFoundHandler((request) => {
    throw noSuchCall(request.method, request.url);
  });
}

/** Answers a URL that the router cannot read; no hook has run, and no route's error handler will. */
export function answerBadUrl(error: Error, requestId: string, reply: FastifyReply): FastifyReply {
  const known = problem('invalid_request', error.message);
  return reply
    .code(known.status)
    .headers({ 'x-request-id': requestId, 'content-type': 'application/problem+json' })
    .send(JSON.stringify(problemBody(known, requestId)));
}

function noSuchCall(method: string, url: string): Problem {
  return problem('route_not_found', `There is no ${method} ${url.split('?')[0]}`);
}

/** Whether it was thrown because the client left, by itself or as the cause of something else. */
function left(error: unknown): boolean {
  return error instanceof ClientLeft || (error instanceof Error && left(error.cause));
}

/** Whatever a route, the framework or a bug has thrown. */
function asProblem(error: FastifyError | Problem): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return badQuery(error.validation);
  const status = error.statusCode ?? 500;
  if (status === 413) {
    return problem('body_too_large', `The JSON body is over the limit of ${jsonBytesMax} bytes`);
  }
  if (status === 415) {
    return problem('unsupported_media_type', error.message, {
      hint: 'Send JSON with `-H "content-type: application/json"` (curl: `--json @spec.json`).',
    });
  }
  if (status >= 400 && status < 500) return problem('invalid_request', error.message);
  return problem('internal', 'Something broke on our side; the log has the reason', {
    cause: error,
  });
}

function badQuery(
  issues: readonly { instancePath: string; message?: string | undefined }[],
): Problem {
  const errors: FieldError[] = issues.map(({ instancePath, message }) => ({
    path: instancePath.replace(/^\//, '').replaceAll('/', '.'),
    message: message ?? 'not valid',
  }));
  const named = errors
    .slice(0, 5)
    .map(({ path, message }) => `${path}: ${message}`)
    .join('; ');
  return problem('invalid_query', `Bad query parameters: ${named}`, { errors });
}

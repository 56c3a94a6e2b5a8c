// The one place that turns what was thrown into an answer (RFC 9457).

import type { FastifyError, FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { type FieldError, Problem, problem } from '../domain/problem.ts';

export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | Problem, request, reply) => {
    const known = asProblem(error);
    if (known.status >= 500) request.log.error({ error }, 'request failed');
    // an upload that is refused half-way: what is left of it need not come
    if (!request.raw.readableEnded) reply.header('connection', 'close');
    const { status, title, code, message, errors, hint } = known;
    return reply
      .code(status)
      .type('application/problem+json')
      .send({
        type: `urn:onecycle:problem:${code}`,
        title,
        status,
        detail: message,
        code,
        hint,
        errors,
        request_id: request.id,
      });
  });
  app.setNotFoundHandler((request) => {
    throw problem('route_not_found', `There is no ${request.method} ${request.url.split('?')[0]}`);
  });
}

/** Whatever a route, the framework or a bug has thrown. */
function asProblem(error: FastifyError | Problem): Problem {
  if (error instanceof Problem) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return badQuery(error.validation);
  const status = error.statusCode ?? 500;
  if (status === 413) return problem('upload_too_large', error.message);
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
  const named = errors.map(({ path, message }) => `${path}: ${message}`).join('; ');
  return problem('invalid_query', `Bad query parameters: ${named}`, { errors });
}

import type { Problem } from '../domain/problem.ts';

/** More faults than anybody mends at once. */
const errorsShown = 20;

/** A Problem as an answer shows it (RFC 9457); the first faults, and how many there are. */
export function problemBody(
  { status, title, code, message, errors, hint }: Problem,
  requestId: string,
) {
  return {
    type: `urn:onecycle:problem:${code}`,
    title,
    status,
    detail: message,
    code,
    hint,
    errors: errors.slice(0, errorsShown),
    errors_total: errors.length,
    request_id: requestId,
  };
}

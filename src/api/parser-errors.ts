// What never becomes a request: Node's HTTP parser gives up, and the answer is written on the socket.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ulid } from 'ulid';
import { type Problem, problem } from '../domain/problem.ts';
import { problemBody } from './problem-body.ts';

/** How long a client whose request could not be read may take to read the answer. */
const lingerMs = 2000;

const answers = new WeakMap<Socket, ServerResponse>();

/** Remembers which answer a connection is at, so that none is written into another. */
export function rememberAnswer(raw: IncomingMessage, response: ServerResponse): void {
  answers.set(raw.socket, response);
}

/** Answers what Node's HTTP parser could not read: 400, 408 or 431. */
export function answerParserError(
  this: FastifyInstance,
  error: NodeJS.ErrnoException & { reason?: string },
  socket: Socket,
): void {
  const current = answers.get(socket);
  const midAnswer = current?.headersSent && !current.writableFinished;
  if (error.code === 'ECONNRESET' || !socket.writable || midAnswer) {
    socket.destroy();
    return;
  }
  const found = parserProblem(error);
  const id = `req_${ulid()}`;
  const { status, code } = found;
  this.log.info({ requestId: id, status, code, reason: error.message }, 'no request');
  const body = JSON.stringify(problemBody(found, id));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/problem+json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${id}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
  // closed at once, what still comes would reset the connection before the answer is read
  const linger = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(linger));
}

function parserProblem(error: NodeJS.ErrnoException & { reason?: string }): Problem {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem('request_timeout', 'The head of the request did not come in time');
    case 'HPE_HEADER_OVERFLOW':
      return problem(
        'headers_too_large',
        'The head of the request is over the limit of 16384 bytes',
      );
    default:
      return problem(
        'invalid_request',
        `This is not HTTP as it is understood here: ${error.reason ?? error.message}`,
      );
  }
}

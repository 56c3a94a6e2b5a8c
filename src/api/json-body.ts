import type { FastifyInstance } from 'fastify';
import { problem } from '../domain/problem.ts';

/** A spec has some thousand bytes and six levels. */
export const jsonBytesMax = 2 ** 18;
const depthMax = 32;

/** JSON of a bounded size and depth in UTF-8, in which no key stands twice; an empty body is none. */
export function takeJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: jsonBytesMax },
    (_request, body: Buffer, done) => {
      try {
        done(null, body.length === 0 ? undefined : parseJson(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

/** @throws Problem `invalid_request` that says what is wrong, and where */
function parseJson(bytes: Buffer): unknown {
  const text = decoded(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`The body is not JSON: ${placed((cause as Error).message, text)}`, cause);
  }
  checkStructure(text);
  return value;
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid('The JSON body is not UTF-8, in which JSON is sent', cause);
  }
}

/** Depth and keys of JSON that has been parsed: what JSON.parse takes without a word. */
function checkStructure(text: string): void {
  const keys: (Set<string> | null)[] = [];
  for (const [token, colon] of text.matchAll(/[{}[\]]|"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?/g)) {
    if (token === '{' || token === '[') {
      keys.push(token === '{' ? new Set() : null);
      if (keys.length > depthMax)
        throw invalid(`The JSON is nested deeper than ${depthMax} levels`);
    } else if (token === '}' || token === ']') {
      keys.pop();
    } else if (colon !== undefined) {
      const key: string = JSON.parse(token.slice(0, -colon.length));
      const seen = keys.at(-1);
      if (seen?.has(key))
        throw invalid(`The key ${JSON.stringify(key)} stands twice in one object`);
      if (key === '__proto__') throw invalid('The key "__proto__" is refused');
      seen?.add(key);
    }
  }
}

/** V8 names a position; a person looks for a line. */
function placed(message: string, text: string): string {
  return message.replace(/at position (\d+)/, (_, position: string) => {
    const lines = text.slice(0, Number(position)).split('\n');
    return `at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
  });
}

function invalid(detail: string, cause?: unknown) {
  return problem('invalid_request', detail, cause === undefined ? {} : { cause });
}

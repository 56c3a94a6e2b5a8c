// Every contestant, ours or a peer, is a child process that answers lines of JSON with lines of JSON: rounds
// interleave, and nobody's memory, threads or precision is another's. A request is {do, ...}, an answer
// {ok: ...} or {error}. stdout belongs to the answers, stderr is kept for when a child fails.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const answerMsMax = 30 * 60_000;
const stderrKept = 2000;

const Answer = z.union([
  z.strictObject({ ok: z.unknown() }),
  z.strictObject({ error: z.string() }),
]);

export type Child = {
  /** @throws Error with what the child said of its failure */
  ask<T>(schema: z.ZodType<T>, request: { do: string } & Record<string, unknown>): Promise<T>;
  stop(): Promise<void>;
};

/** Our own contestant, bench/contestant.ts. */
export function startContestant(options: {
  engine: 'onednn' | 'js';
  precision: 'f32' | 'bf16';
  threads: number | null;
}): Child {
  const path = fileURLToPath(new URL('./contestant.ts', import.meta.url));
  return startChild(process.execPath, ['--import', 'tsx', path, JSON.stringify(options)]);
}

export function startChild(program: string, args: readonly string[]): Child {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-stderrKept);
  });
  // a child that is gone says so by its exit
  child.stdin.on('error', () => {});
  const ended = endOf(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = (what: string) => new Error(`${program}: ${what}\n${said.trim()}`);
  return {
    async ask(schema, request) {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const line = await withinMs(answerMsMax, lines.next()).catch((cause: Error) => {
        child.kill('SIGKILL');
        throw failed(`${request.do}: ${cause.message}`);
      });
      if (line.done) throw failed(`${request.do}: ended with ${await ended}`);
      const answer = Answer.parse(JSON.parse(line.value));
      if ('error' in answer) throw failed(`${request.do}: ${answer.error}`);
      return schema.parse(answer.ok);
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

async function withinMs<T>(limitMs: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${limitMs / 1000} s`)), limitMs);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

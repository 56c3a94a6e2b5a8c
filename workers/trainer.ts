// The child that trains; the only process that loads an engine. It is told everything by its supervisor,
// writes files into its scratch folder, and dies with its supervisor.

import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Manifest } from '../src/domain/dataset.ts';
import { Problem } from '../src/domain/problem.ts';
import { startEngine } from '../src/engine/engine.ts';
import type { Journal } from '../src/learner/journal.ts';
import { runPipeline } from '../src/learner/pipeline.ts';
import type {
  FromTrainer,
  ToTrainer,
  TrainerFile,
  TrainerInput,
} from './training/trainer-messages.ts';

const aliveEveryMs = 20_000;
const stop = new AbortController();
const sent: Promise<void>[] = [];

function say(message: FromTrainer): void {
  const delivered = new Promise<void>((resolve) => {
    process.send?.(message, undefined, {}, () => resolve());
  });
  sent.push(delivered);
}

function journalOf({ scratchDir }: TrainerInput): Journal {
  const file = async (
    kind: TrainerFile['kind'],
    name: string,
    contentType: string,
    bytes: Uint8Array,
  ) => {
    const path = join(scratchDir, randomUUID());
    await writeFile(path, bytes);
    say({ type: 'file', kind, name, contentType, path });
  };
  return {
    event: (body) => say({ type: 'event', time: new Date().toISOString(), body }),
    artifact: (name, contentType, bytes) => file('artifact', name, contentType, bytes),
    checkpoint: (bytes) =>
      file('checkpoint', 'checkpoint.safetensors', 'application/octet-stream', bytes),
    modelFile: (name, contentType, bytes) => file('model', name, contentType, bytes),
  };
}

async function train(input: TrainerInput): Promise<FromTrainer> {
  try {
    const engine = await startEngine(input.engine);
    const manifest = Manifest.parse(JSON.parse(await readFile(input.manifestPath, 'utf8')));
    const end = await runPipeline({ ...input, manifest, engine }, journalOf(input), {
      signal: stop.signal,
    });
    return end.outcome === 'finished'
      ? { type: 'finished', model: end.model }
      : { type: 'interrupted' };
  } catch (error) {
    if (error instanceof Problem) {
      const { code, message, hint } = error;
      return { type: 'failed', error: { code, message, hint } };
    }
    const { stack } = error as Error;
    return { type: 'crashed', message: stack ?? String(error), lacking: lackingOf(error) };
  }
}

/** What of the machine's an error speaks of: a disk or memory that is full now may be free at the next attempt. */
function lackingOf(error: unknown): string | null {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code && /^E[A-Z]+$/.test(code)) return code;
  return /bad_alloc|allocation failed|out of memory/i.test(message ?? '') ? 'out of memory' : null;
}

async function leave(lastWord: FromTrainer): Promise<void> {
  clearInterval(alive);
  say(lastWord);
  await Promise.all(sent);
  process.exit(lastWord.type === 'crashed' ? 1 : 0);
}

// a terminal's Ctrl-C reaches every process of the group; only the supervisor decides here
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToTrainer) => {
  if (message.type === 'stop') stop.abort();
  else void train(message.input).then(leave);
});
const alive = setInterval(() => say({ type: 'alive' }), aliveEveryMs);

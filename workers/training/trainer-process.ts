import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { EventBody, JobError } from '../../src/domain/event.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';
import {
  FromTrainer,
  type ToTrainer,
  type TrainerFile,
  type TrainerInput,
} from './trainer-messages.ts';

export type TrainerEnd =
  | { outcome: 'finished'; model: FinishedModel }
  | { outcome: 'interrupted' }
  | { outcome: 'failed'; error: JobError }
  /** Gone without a last word: a signal, an exit code, or silence. */
  | { outcome: 'died'; reason: string };

/** What a user is told of a bug of ours: the same would happen at every attempt. */
const bug: JobError = {
  code: 'internal',
  message: 'Training broke off by a fault on our side; the log of the worker has the reason',
  hint: 'Report it with the id of the job. The same spec on the same data will fail again.',
};

export type TrainerListener = {
  event(time: string, body: EventBody): void;
  file(file: TrainerFile): void;
};

export type TrainerProcess = {
  pid: number | undefined;
  end: Promise<TrainerEnd>;
  /** Asks for a checkpoint and an end, and kills after `graceMs`; asking again changes nothing. */
  stop(graceMs: number): void;
  kill(): void;
};

// the source runs under tsx, the build under plain node: the sibling has the extension that we have
const defaultTrainerPath = fileURLToPath(
  new URL(`../trainer${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

/** Forks the trainer and hands on what it says, in order; `end` resolves when it is gone and all was read. */
export function startTrainer(
  input: TrainerInput,
  listener: TrainerListener,
  options: { trainerPath?: string; silenceMsMax: number; logger: Logger },
): TrainerProcess {
  const { logger } = options;
  const child = fork(options.trainerPath ?? defaultTrainerPath, [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let lastWord: TrainerEnd | null = null;
  let thrown: string | null = null;
  let wedged = false;
  let stopTimer: NodeJS.Timeout | null = null;
  const silence = setTimeout(() => {
    wedged = true;
    child.kill('SIGKILL');
  }, options.silenceMsMax);

  child.on('message', (raw) => {
    silence.refresh();
    const parsed = FromTrainer.safeParse(raw);
    if (!parsed.success) {
      // one bad word, a NaN that JSON turned into null for instance, is no reason to lose the worker
      logger.warn({ raw, issues: parsed.error.issues }, 'trainer said what nobody understands');
      return;
    }
    const message = parsed.data;
    switch (message.type) {
      case 'event':
        return listener.event(message.time, message.body);
      case 'file':
        return listener.file(message);
      case 'finished':
        lastWord = { outcome: 'finished', model: message.model };
        return;
      case 'interrupted':
        lastWord = { outcome: 'interrupted' };
        return;
      case 'failed':
        lastWord = { outcome: 'failed', error: message.error };
        return;
      case 'crashed':
        logger.error({ reason: message.message }, 'trainer threw');
        thrown = message.lacking;
        if (message.lacking === null) lastWord = { outcome: 'failed', error: bug };
        return;
      case 'alive':
        return;
    }
  });

  const end = gone(child).then((how): TrainerEnd => {
    clearTimeout(silence);
    if (stopTimer) clearTimeout(stopTimer);
    if (lastWord) return lastWord;
    const silent = `silent for ${Math.round(options.silenceMsMax / 1000)} s, killed`;
    const reason = wedged ? silent : thrown === null ? how : `${how}: ${thrown}`;
    return { outcome: 'died', reason };
  });

  send(child, { type: 'train', input });
  return {
    pid: child.pid,
    end,
    stop(graceMs) {
      if (stopTimer) return;
      send(child, { type: 'stop' });
      stopTimer = setTimeout(() => {
        logger.warn({ pid: child.pid, graceMs }, 'trainer did not stop, killing it');
        child.kill('SIGKILL');
      }, graceMs);
    },
    kill() {
      child.kill('SIGKILL');
    },
  };
}

/** Resolves when the process is gone and its channel is read to the end, with how it went. */
function gone(child: ChildProcess): Promise<string> {
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) =>
      resolve(signal ? `signal ${signal}` : `exit code ${code}`),
    );
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
  });
  const read = new Promise<void>((resolve) => {
    if (!child.connected) resolve();
    child.once('disconnect', resolve);
  });
  return Promise.all([exited, read]).then(([how]) => how);
}

function send(child: ChildProcess, message: ToTrainer): void {
  // a child that is gone by now says so by its exit
  if (child.connected) child.send(message, () => {});
}

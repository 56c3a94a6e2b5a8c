import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import type { TrainerInput } from '../../workers/training/trainer-messages.ts';
import { startTrainer } from '../../workers/training/trainer-process.ts';
import { newFolder } from '../fixtures/make-archive.ts';

/** How a trainer ends that says this and exits with 1. */
async function endOf(word: object) {
  const trainerPath = join(await newFolder(), 'trainer.mjs');
  const program = `process.on('message', () => process.send(${JSON.stringify(word)}, () => process.exit(1)));`;
  await writeFile(trainerPath, program);
  const logger = pino({ level: 'silent' });
  const listener = { event() {}, file() {} };
  const options = { trainerPath, silenceMsMax: 60_000, logger };
  return await startTrainer({} as TrainerInput, listener, options).end;
}

const stack = 'Error: no item 7\n    at get (/srv/app/src/loader.ts:1:2)';

test('a bug ends the job at once, and its stack and paths stay in the log', async () => {
  const end = await endOf({ type: 'crashed', message: stack, lacking: null });
  assert.ok(end.outcome === 'failed');
  assert.equal(end.error.code, 'internal');
  assert.doesNotMatch(JSON.stringify(end), /loader|srv|no item/);
});

test('a full disk is a death, tried again, and named without a path', async () => {
  const end = await endOf({ type: 'crashed', message: stack, lacking: 'ENOSPC' });
  assert.deepEqual(end, { outcome: 'died', reason: 'exit code 1: ENOSPC' });
});

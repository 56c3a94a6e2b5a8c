// A running onecycle as a program uses it: upload, submit, wait. ONECYCLE_URL and ONECYCLE_KEY say where it is and who
// asks; without them it is the one that `npm start` runs on DATA_DIR.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 250;
const dataDir = process.env.DATA_DIR ?? './data';
const url =
  process.env.ONECYCLE_URL ?? JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8')).url;
const key = process.env.ONECYCLE_KEY ?? readFileSync(join(dataDir, 'api-key'), 'utf8').trim();

async function call(method, path, { body, type } = {}) {
  const headers = { authorization: `Bearer ${key}`, ...(type ? { 'content-type': type } : {}) };
  const response = await fetch(url + path, { method, headers, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${answer.code}: ${answer.detail}`);
  return answer;
}

/** Uploads an archive; answers the data set's id at once. */
export async function upload(name, archive) {
  const path = `/v1/datasets?name=${encodeURIComponent(name)}`;
  const { id } = await call('POST', path, { body: archive, type: 'application/x-tar' });
  return id;
}

/** Trains by this spec; answers the finished job. */
export async function train(spec) {
  const body = JSON.stringify(spec);
  const { id } = await call('POST', '/v1/jobs', { body, type: 'application/json' });
  for (;;) {
    const job = await call('GET', `/v1/jobs/${id}`);
    if (job.state === 'succeeded') return job;
    if (job.terminal)
      throw new Error(`${id} ${job.state}: ${job.error?.code} ${job.error?.message}`);
    await delay(pollMs);
  }
}

/** The model's card: classes, metrics, where it came from. */
export function model(id) {
  return call('GET', `/v1/models/${id}`);
}

// The whole stack as `npm start` runs it, from the source, on a folder and ports of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { jobView } from '../../src/api/views.ts';
import type { JobEvent } from '../../src/domain/event.ts';

export type JobAnswer = ReturnType<typeof jobView>;
type Answer = Record<string, unknown> & {
  id: string;
  state: string;
  terminal: boolean;
  code?: string;
};

const root = fileURLToPath(new URL('../..', import.meta.url));

export function newDataDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'onecycle-e2e-'));
}

export class Stack {
  readonly dataDir: string;
  readonly url: string;
  readonly process: ChildProcess;
  private readonly key: string;
  private readonly log: () => string;

  private constructor(
    dataDir: string,
    url: string,
    key: string,
    child: ChildProcess,
    log: () => string,
  ) {
    this.dataDir = dataDir;
    this.url = url;
    this.key = key;
    this.process = child;
    this.log = log;
  }

  static async start(dataDir: string, environment: Record<string, string> = {}): Promise<Stack> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/local.ts'], {
      cwd: root,
      env: {
        ...process.env,
        DATA_DIR: dataDir,
        PORT: '0',
        LOG_LEVEL: 'info',
        // nobody listens there: no test fetches from the network
        ZOO_URL: 'http://127.0.0.1:9',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    child.stdout.on('data', (chunk) => {
      log += chunk;
    });
    child.stderr.on('data', (chunk) => {
      log += chunk;
    });
    while (!log.includes('"msg":"ready"')) {
      if (child.exitCode !== null) throw new Error(`the stack did not start:\n${log}`);
      await delay(20);
    }
    const { url } = JSON.parse(await readFile(join(dataDir, 'stack.json'), 'utf8'));
    const key = (await readFile(join(dataDir, 'api-key'), 'utf8')).trim();
    return new Stack(dataDir, url, key, child, () => log);
  }

  async workerPid(): Promise<number> {
    return JSON.parse(await readFile(join(this.dataDir, 'stack.json'), 'utf8')).worker_pid;
  }

  /** JSON in and out, whatever the status. */
  async call<T = Answer>(method: string, path: string, body?: object | Uint8Array): Promise<T> {
    const raw = body instanceof Uint8Array;
    const response = await this.fetch(path, {
      method,
      headers: body && !raw ? { 'content-type': 'application/json' } : {},
      body: raw ? Buffer.from(body) : body ? JSON.stringify(body) : null,
    });
    return (await response.json()) as T;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, authorization: `Bearer ${this.key}` };
    return fetch(this.url + path, { ...init, headers });
  }

  /** Follows the event log until `found` says so; answers all events. */
  async follow(job: string, found: (event: JobEvent) => boolean): Promise<JobEvent[]> {
    const events: JobEvent[] = [];
    for (;;) {
      const after = events.at(-1)?.seq ?? 0;
      const path = `/v1/jobs/${job}/events?after=${after}&wait=10`;
      const { data } = await this.call<{ data: JobEvent[] }>('GET', path);
      events.push(...data);
      if (data.some(found)) return events;
      if (this.process.exitCode !== null) throw new Error(`the stack is gone:\n${this.log()}`);
    }
  }

  /** The finished job and its events. */
  async finish(job: string): Promise<{ job: JobAnswer; events: JobEvent[] }> {
    const ends = ['succeeded', 'failed', 'cancelled'];
    const events = await this.follow(job, ({ type }) => ends.includes(type));
    return { job: await this.call<JobAnswer>('GET', `/v1/jobs/${job}`), events };
  }

  async prepared(archive: Uint8Array, query = ''): Promise<Answer> {
    const { id } = await this.call('POST', `/v1/datasets?name=tiny${query}`, archive);
    for (;;) {
      const dataset = await this.call('GET', `/v1/datasets/${id}`);
      if (dataset.terminal) return dataset;
      await delay(50);
    }
  }

  /** Ctrl-C. */
  async stop(): Promise<number | null> {
    const gone = once(this.process, 'exit');
    this.process.kill('SIGINT');
    await gone;
    return this.process.exitCode;
  }

  /** kill -9 of the stack alone; its worker and Redis are orphans then. */
  async kill(): Promise<void> {
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}

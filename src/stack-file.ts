// DATA_DIR/stack.json: which stack runs on a data folder. One at a time; what a killed one left is ended.

import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const StackFile = z.object({ pid: z.int(), worker_pid: z.int().nullable(), url: z.string() });
export type StackFile = z.infer<typeof StackFile>;

const pathIn = (dataDir: string) => join(dataDir, 'stack.json');

export async function writeStackFile(dataDir: string, stack: StackFile): Promise<void> {
  const part = `${pathIn(dataDir)}.part`;
  await writeFile(part, `${JSON.stringify(stack)}\n`);
  await rename(part, pathIn(dataDir));
}

export async function removeStackFile(dataDir: string): Promise<void> {
  await rm(pathIn(dataDir), { force: true });
}

/**
 * Makes the data folder ours: ends the worker of a stack that was killed.
 * @throws Error when a stack runs on this folder
 */
export async function takeOver(dataDir: string): Promise<void> {
  const text = await readFile(pathIn(dataDir), 'utf8').catch(() => null);
  if (text === null) return;
  const found = StackFile.safeParse(JSON.parse(text));
  if (!found.success) return;
  const { pid, worker_pid, url } = found.data;
  if (pid !== process.pid && (await isOurs(pid, 'local'))) {
    throw new Error(
      `onecycle runs on this DATA_DIR already: ${url}, process ${pid}. Stop it, or set another DATA_DIR.`,
    );
  }
  if (worker_pid !== null && (await isOurs(worker_pid, 'main')))
    process.kill(worker_pid, 'SIGKILL');
}

/** Whether the process lives and is the program that we take it for: ids are used again. */
async function isOurs(pid: number, program: 'local' | 'main'): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return command === null || new RegExp(`/${program}\\.[jt]s`).test(command);
}

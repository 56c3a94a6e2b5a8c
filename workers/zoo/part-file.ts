import { readdir, rename, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A download writes without pause: a part file that nobody has touched for so long is nobody's. */
const abandonedMs = 60_000;

/** Where this process keeps what has come of `file`; what a worker that is gone left of it is taken over. */
export async function claimPart(dir: string, file: string): Promise<string> {
  const mine = join(dir, `.${file}.${hostname()}.${process.pid}.part`);
  for (const name of await readdir(dir)) {
    if (!name.startsWith(`.${file}.`) || !name.endsWith('.part')) continue;
    const theirs = join(dir, name);
    if (theirs === mine) return mine;
    if (!(await isAbandoned(theirs, name))) continue;
    // of two that claim it one gets it: the other's rename fails, and it begins anew
    await rename(`${theirs}.json`, `${mine}.json`).catch(() => {});
    const claimed = await rename(theirs, mine).then(
      () => true,
      () => false,
    );
    if (claimed) return mine;
  }
  return mine;
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const pid = Number(name.split('.').at(-2));
  if (name.endsWith(`.${hostname()}.${pid}.part`)) return !isAlive(pid);
  const info = await stat(path).catch(() => null);
  return info !== null && Date.now() - info.mtimeMs > abandonedMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

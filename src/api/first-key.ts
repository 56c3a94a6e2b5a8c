import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OwnedKey } from './auth.ts';

/** The key in DATA_DIR/api-key (mode 600), made where there is none; `made` is true that one time. */
export async function firstKey(
  dataDir: string,
): Promise<{ key: OwnedKey; path: string; made: boolean }> {
  const path = join(dataDir, 'api-key');
  await mkdir(dataDir, { recursive: true });
  const made = await make(path);
  const key = (await readFile(path, 'utf8')).trim();
  if (key.length < 16) throw new Error(`${path} holds no key of at least 16 characters: remove it`);
  return { key: { owner: 'local', key }, path, made };
}

async function make(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(`oc_${randomBytes(24).toString('base64url')}\n`);
    await file.sync();
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

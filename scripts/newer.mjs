import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Whether any file at or below `sources` changed after `product` was made, or there is no product. */
export function isStale(product, sources) {
  if (!existsSync(product)) return true;
  const madeAt = statSync(product).mtimeMs;
  return sources.some((source) => newest(source) > madeAt);
}

function newest(path) {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  const inside = readdirSync(path)
    .filter((name) => name !== 'build')
    .map((name) => newest(join(path, name)));
  return Math.max(0, ...inside);
}

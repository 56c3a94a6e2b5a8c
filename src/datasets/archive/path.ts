import { problem } from '../../domain/problem.ts';
import type { ArchiveLimits } from './limits.ts';

/**
 * The path of an entry inside its archive, `/`-separated, without `./`, in Unicode's form NFC. Nothing is
 * unpacked under it; it is refused all the same, because a path that climbs out is never an honest data
 * set's. A `\` that separates nothing is refused there too, since it would separate on Windows.
 * @throws Problem `archive_unsafe`, `archive_limit`
 */
export function safePath(
  name: string,
  { backslashSeparates, limits }: { backslashSeparates: boolean; limits: ArchiveLimits },
): string {
  const shown = JSON.stringify(name.slice(0, 100));
  const slashed = name.replaceAll('\\', '/');
  if (slashed.startsWith('/') || /^[A-Za-z]:/.test(slashed)) {
    throw problem('archive_unsafe', `An entry has an absolute path: ${shown}`);
  }
  if (name.includes('\0')) throw problem('archive_unsafe', `An entry's name holds NUL: ${shown}`);
  if (slashed.split('/').includes('..')) {
    throw problem('archive_unsafe', `An entry's path climbs out of the archive: ${shown}`);
  }
  const segments = (backslashSeparates ? slashed : name)
    .normalize('NFC')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  if (segments.length > limits.depthMax) {
    throw problem('archive_limit', `A path is over ${limits.depthMax} folders deep: ${shown}`);
  }
  const path = segments.join('/');
  if (Buffer.byteLength(path) > limits.pathBytesMax) {
    throw problem('archive_limit', `A path is over ${limits.pathBytesMax} bytes: ${shown}...`);
  }
  return path;
}

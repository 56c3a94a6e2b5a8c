import { problem } from '../../domain/problem.ts';
import type { ArchiveLimits } from './limits.ts';

/**
 * The path of an entry inside its archive, `/`-separated, without `./`. Nothing is unpacked under it;
 * it is refused all the same, because a path that climbs out is never an honest data set's.
 * @throws Problem `archive_unsafe`, `archive_limit`
 */
export function safePath(raw: string, limits: ArchiveLimits): string {
  const path = raw.replaceAll('\\', '/');
  const shown = JSON.stringify(raw.slice(0, 100));
  if (Buffer.byteLength(path) > limits.pathBytesMax) {
    throw problem('archive_limit', `A path is over ${limits.pathBytesMax} bytes: ${shown}...`);
  }
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path)) {
    throw problem('archive_unsafe', `An entry has an absolute path: ${shown}`);
  }
  if (path.includes('\0')) throw problem('archive_unsafe', `An entry's name holds NUL: ${shown}`);
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) {
    throw problem('archive_unsafe', `An entry's path climbs out of the archive: ${shown}`);
  }
  if (segments.length > limits.depthMax) {
    throw problem('archive_limit', `A path is over ${limits.depthMax} folders deep: ${shown}`);
  }
  return segments.join('/');
}

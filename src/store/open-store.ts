import { fileURLToPath } from 'node:url';
import { FileStore } from './file-store.ts';
import type { ObjectStore } from './object-store.ts';
import { S3Store } from './s3-store.ts';

/** The store that a STORAGE_URL names: `file:///dir` or `s3://bucket/prefix`. */
export function openStore(
  storageUrl: string,
  options: { endpoint?: string | null; region?: string | null } = {},
): ObjectStore {
  const url = new URL(storageUrl);
  if (url.protocol === 'file:') return new FileStore(fileURLToPath(url));
  const prefix = url.pathname.replace(/^\/|\/$/g, '');
  return new S3Store({
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint: options.endpoint ?? null,
    region: options.region ?? 'us-east-1',
  });
}

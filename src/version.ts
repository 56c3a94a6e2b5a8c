import { existsSync, readFileSync } from 'node:fs';

// the source stands one folder below package.json, the build two
const packages = ['../package.json', '../../package.json'].map(
  (path) => new URL(path, import.meta.url),
);

/** onecycle's version, as package.json has it. */
export function codeVersion(): string {
  const path = packages.find((url) => existsSync(url));
  return path ? String(JSON.parse(readFileSync(path, 'utf8')).version) : 'unknown';
}

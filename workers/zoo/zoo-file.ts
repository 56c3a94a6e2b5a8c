// A body of the zoo as a file on this machine: from ZOO_DIR, from the store, or over the network at first use; then
// it is kept in both. Whatever the way, its checksum is held to what the zoo says.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EventBody } from '../../src/domain/event.ts';
import { type Problem, problem } from '../../src/domain/problem.ts';
import type { Spec } from '../../src/domain/spec.ts';
import { officialBodies, officialZooUrl, type ZooBody, zooBody } from '../../src/domain/zoo.ts';
import type { Records } from '../../src/store/records.ts';
import type { Scratch } from '../scratch.ts';
import { DownloadError, type DownloadLimits, download } from './download.ts';
import { fetchMirrorIndex } from './mirror-index.ts';
import { claimPart } from './part-file.ts';

const progressEveryMs = 1000;

export type ZooDeps = {
  records: Records;
  scratch: Scratch;
  zooDir: string;
  /** A mirror; null: torchvision's own address. */
  zooUrl: string | null;
  downloadLimits?: Partial<DownloadLimits>;
};
type Wanted = Pick<Spec, 'arch'> & { pretrained: string };
type Found = { path: string; body: ZooBody };
type Say = (event: EventBody) => void;

/** The way on, for every message that a body cannot be had. */
export const goOn =
  'or go on with "pretrained": null (random weights), or with the id of a model ("mdl_…").';

/**
 * The file of a body that the zoo knows; null for a name that it does not know.
 * @throws Problem `pretrained_unknown` that names URL, file and folder when it cannot be had
 */
export async function zooFile(
  wanted: Wanted,
  deps: ZooDeps,
  { signal, say }: { signal: AbortSignal; say: Say },
): Promise<Found | null> {
  const kept = await deps.records.getMirrorIndex();
  const known = zooBody([...kept, ...officialBodies], wanted);
  // what was kept of a mirror's list may be old: it decides nothing but what is here
  const here = known?.arch === wanted.arch ? await atHand(known, deps, signal) : null;
  if (here) return here;

  const bodies = await zooBodies(known, wanted, deps, signal);
  const body = zooBody(bodies, wanted);
  if (body === null) return null;
  checkArch(body, wanted);
  const url = `${deps.zooUrl ?? officialZooUrl}/${body.file}`;
  try {
    return (await atHand(body, deps, signal)) ?? (await fetched(body, url, deps, { signal, say }));
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    throw notHad(`${url} ${error.message}`, { file: body.file, wanted, deps, cause: error });
  }
}

async function zooBodies(
  known: ZooBody | null,
  wanted: Wanted,
  deps: ZooDeps,
  signal: AbortSignal,
): Promise<readonly ZooBody[]> {
  if (deps.zooUrl === null) return officialBodies;
  try {
    const mirrored = await fetchMirrorIndex(deps.zooUrl, deps.records, signal);
    return [...mirrored, ...officialBodies];
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    const file = known?.file ?? `${wanted.pretrained}.safetensors`;
    throw notHad(`${deps.zooUrl}/${file}: the mirror ${error.message}`, {
      file,
      wanted,
      deps,
      cause: error,
    });
  }
}

/** The body's file where it is here already, checked, and in the store too from then on. */
async function atHand(body: ZooBody, deps: ZooDeps, signal: AbortSignal): Promise<Found | null> {
  const { file } = body;
  const local = join(deps.zooDir, file);
  if (await stat(local).catch(() => null)) {
    const sha256 = await checked(local, body, `in ${deps.zooDir} (ZOO_DIR)`);
    await keep(local, { body, sha256, url: `file in ZOO_DIR`, deps });
    return { path: local, body };
  }
  const info = await deps.records.zooFileInfo(file);
  const path =
    info &&
    (await deps.scratch.cached(
      `${info.modifiedAt.getTime()}-${file}`,
      () => deps.records.streamZooFile(file),
      { bytes: info.bytes, signal },
    ));
  if (!path) return null;
  await checked(path, body, `in the store under zoo/`);
  return { path, body };
}

async function fetched(
  body: ZooBody,
  url: string,
  deps: ZooDeps,
  { signal, say }: { signal: AbortSignal; say: Say },
): Promise<Found> {
  const { file } = body;
  const path = join(deps.zooDir, file);
  await mkdir(deps.zooDir, { recursive: true });
  const part = await claimPart(deps.zooDir, file);
  const options = {
    signal,
    onProgress: progressOf(body, url, say),
    limits: deps.downloadLimits ?? {},
  };
  const take = async () => {
    const { resumed } = await download(url, part, options);
    const sha256 = await sha256Of(part);
    return { resumed, sha256, right: sha256.startsWith(body.sha256) };
  };
  let taken = await take();
  if (!taken.right && taken.resumed) {
    // two halves of different files: once more from the beginning
    await drop(part);
    taken = await take();
  }
  if (!taken.right) {
    await drop(part);
    throw wrongChecksum(body, taken.sha256, `from ${url}`);
  }
  await rename(part, path);
  await rm(`${part}.json`, { force: true });
  await keep(path, { body, sha256: taken.sha256, url, deps });
  return { path, body };
}

/** Puts a checked file into the store, once. */
async function keep(
  path: string,
  { body, sha256, url, deps }: { body: ZooBody; sha256: string; url: string; deps: ZooDeps },
): Promise<void> {
  const { records } = deps;
  if ((await records.getZooRecord(body.file))?.sha256 === sha256) return;
  const { bytes } = await records.putZooFile(body.file, createReadStream(path));
  await records.putZooRecord({
    file: body.file,
    sha256,
    bytes,
    url,
    fetched_at: new Date().toISOString(),
  });
}

function progressOf(body: ZooBody, url: string, say: Say) {
  let saidAt = 0;
  return ({ bytes, bytesTotal }: { bytes: number; bytesTotal: number | null }) => {
    if (Date.now() - saidAt < progressEveryMs && bytes !== bytesTotal) return;
    saidAt = Date.now();
    say({ type: 'download', file: body.file, url, bytes, bytes_total: bytesTotal });
  };
}

async function checked(path: string, body: ZooBody, where: string): Promise<string> {
  const sha256 = await sha256Of(path);
  if (sha256.startsWith(body.sha256)) return sha256;
  throw wrongChecksum(body, sha256, where);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function drop(part: string): Promise<void> {
  await rm(part, { force: true });
  await rm(`${part}.json`, { force: true });
}

function checkArch(body: ZooBody, { arch, pretrained }: Wanted): void {
  if (body.arch === arch) return;
  throw problem(
    'pretrained_unknown',
    `The body "${pretrained}" is a ${body.arch}, the spec asks for ${arch}`,
    { hint: `Set "arch": "${body.arch}", ${goOn}` },
  );
}

function wrongChecksum({ file, sha256: expected }: ZooBody, got: string, where: string): Problem {
  return problem(
    'pretrained_unknown',
    `${file} ${where} has the wrong checksum: its sha256 is ${got}, expected ${expected.length < 64 ? `one that begins with ${expected}` : expected}. It is not used`,
    { hint: `Fetch ${file} again from where it comes from, ${goOn}` },
  );
}

/** A body that nobody has: says what was tried, and where to put the file by hand. */
export function notHad(
  detail: string,
  from: { file: string; wanted: Wanted; deps: Pick<ZooDeps, 'zooDir'>; cause?: unknown },
): Problem {
  const { file, wanted, deps, cause } = from;
  return problem(
    'pretrained_unknown',
    `The body "${wanted.pretrained}" of ${wanted.arch} cannot be had: ${detail}`,
    {
      hint: `Put the file ${file} into the folder ${deps.zooDir} (ZOO_DIR) or into the store under zoo/, set ZOO_URL to a mirror that has it, ${goOn}`,
      cause,
    },
  );
}

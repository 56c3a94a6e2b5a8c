import { createWriteStream } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import sharp from 'sharp';
import { pack } from 'tar-stream';

/** A new folder for one test. */
export function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'onecycle-test-'));
}

/** A PNG of one colour; different colours are different files. */
export function png(colour: number, { w = 8, h = 8 } = {}): Promise<Buffer> {
  const background = { r: colour & 255, g: (colour >> 8) & 255, b: 77 };
  return sharp({ create: { width: w, height: h, channels: 3, background } })
    .png()
    .toBuffer();
}

/** A .tar of these files, by path; its own path. */
export async function makeTar(files: Record<string, Buffer | string>): Promise<string> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  const path = join(await newFolder(), 'data.tar');
  await pipeline(archive, createWriteStream(path));
  return path;
}

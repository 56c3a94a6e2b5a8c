// Peers are written in Python and found, never installed: ONECYCLE_PEER_PYTHON names interpreters, separated by
// a colon, so that several PyTorch versions run and the best is quoted; else `python3`. Empty means none.

import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { type Child, startChild } from './child.ts';
import { Hello } from './protocol.ts';

export type Peer = { child: Child; hello: z.infer<typeof Hello> };

/** The interpreters that ONECYCLE_PEER_PYTHON names. */
export function peerPythons(): string[] {
  const named = process.env.ONECYCLE_PEER_PYTHON ?? 'python3';
  return named.split(':').filter((name) => name !== '');
}

/** Every interpreter in which this script of bench/peers runs; what is missing is said on stderr. */
export async function findPeers(
  script: 'pytorch.py' | 'fastai-v1.py',
  { threads }: { threads: number },
): Promise<Peer[]> {
  const path = fileURLToPath(new URL(`./peers/${script}`, import.meta.url));
  const found: Peer[] = [];
  for (const python of peerPythons()) {
    const child = startChild(python, [path, String(threads)]);
    try {
      found.push({ child, hello: await child.ask(Hello, { do: 'hello' }) });
    } catch (error) {
      console.error(`Not a peer: ${lastLine((error as Error).message)} (${python}, ${script})`);
      await child.stop();
    }
  }
  if (found.length === 0) {
    console.error('Without a peer: ONECYCLE_PEER_PYTHON may name a Python that has one.');
  }
  return found;
}

const lastLine = (text: string) => text.trim().split('\n').at(-1) ?? '';

// Python's side: each format's own checker, ONNX Runtime and PyTorch, in the interpreters that are named.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { furthest } from '../../test/models/export/trained-model.ts';
import { startChild } from '../child.ts';
import { peerPythons } from '../peer.ts';
import type { Answer } from './finding.ts';
import type { Trained } from './trained.ts';

const script = fileURLToPath(new URL('../peers/exports.py', import.meta.url));
const Answers = z.strictObject({
  checked: z.array(z.string()),
  probabilities: z.record(z.string(), z.array(z.number())),
  absent: z.record(z.string(), z.string()),
});

/** What each interpreter finds with the packages that it has. */
export async function askPython(trained: Trained): Promise<Answer[]> {
  const all: Answer[] = [];
  await writeFile(join(trained.dir, 'image.jpg'), trained.encoded[0] ?? '');
  for (const python of peerPythons()) {
    const child = startChild(python, [script]);
    const { dir, imagesPath, shape, card } = trained;
    const { arch, head, size } = card;
    const classes = card.classes.length;
    const facts = { dir, images: imagesPath, shape, arch, head, size, classes };
    try {
      const found = await child.ask(Answers, { do: 'ask', ...facts });
      all.push(...found.checked.map((client) => ({ client, checked: true })));
      for (const [client, answer] of Object.entries(found.probabilities)) {
        const own = trained.probabilities.subarray(0, answer.length);
        all.push({ client, apart: furthest(answer, own) });
      }
      for (const [client, absent] of Object.entries(found.absent)) all.push({ client, absent });
    } finally {
      await child.stop();
    }
  }
  if (all.length === 0) all.push({ client: 'Python', absent: 'ONECYCLE_PEER_PYTHON is empty' });
  return all;
}

// fastai's seed program through the learner's own pipeline, its parts timed by the events that it tells.

import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Manifest } from '../src/domain/dataset.ts';
import type { EngineInfo, EventBody } from '../src/domain/event.ts';
import { parseSpec } from '../src/domain/spec.ts';
import type { Journal } from '../src/learner/journal.ts';
import { runPipeline } from '../src/learner/pipeline.ts';
import type { DataRef, SeedParts } from './protocol.ts';

/** Runs it once. What follows the last epoch (interpretation, the model's file) is no part of the program. */
export async function runSeedProgram(
  { data, numIt }: { data: DataRef; numIt: number },
  engine: EngineInfo,
): Promise<SeedParts> {
  const manifest = Manifest.parse(JSON.parse(await readFile(data.manifestPath, 'utf8')));
  const spec = parseSpec({
    dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    // weights are worth nothing to a clock; a pretrained body would be frozen from the start
    pretrained: null,
    data: { normalize: null },
    phases: [
      { type: 'lr_find', num_it: numIt, freeze: true },
      { type: 'fit_one_cycle', epochs: 1, max_lr: 3e-2, freeze: true },
      { type: 'fit_one_cycle', epochs: 1, max_lr: { slice: [1e-6, 1e-4] }, freeze: false },
    ],
  });
  const clock = new PartClock(spec.data.batch_size, manifest);
  const checkpointPath = join(dirname(data.manifestPath), 'checkpoint.safetensors');
  const journal: Journal = {
    event: (body) => clock.event(body),
    async artifact() {},
    // a trainer writes it to its scratch disk too
    checkpoint: (bytes) => writeFile(checkpointPath, bytes),
    async modelFile() {},
  };
  const provenance = { jobId: '', codeVersion: '' };
  const input = { spec, manifest, imagesPath: data.imagesPath, engine, ...provenance };
  await runPipeline({ ...input, pretrained: null, checkpointPath: null, attempt: 1 }, journal, {
    signal: new AbortController().signal,
  });
  return { parts: clock.parts, accuracy: clock.accuracy };
}

/** Cuts the run where a part begins; the checkpoint behind a phase is that phase's. */
class PartClock {
  readonly parts: SeedParts['parts'] = [];
  accuracy = Number.NaN;
  private readonly batch: number;
  private readonly valid: number;
  private open: { name: string; begun: number; images: number } | null = null;
  private readonly epochs = ['frozen epoch', 'fine-tuning epoch'];

  constructor(batch: number, manifest: Manifest) {
    this.batch = batch;
    this.valid = manifest.items.filter(({ split }) => split === 'valid').length;
  }

  event(body: EventBody): void {
    if (body.type === 'lr_find.started') this.begin('lr_find', 0);
    // its last step is always told, unless the loss was not a number any more
    else if (body.type === 'lr_find.step' && this.open) this.open.images = body.step * this.batch;
    else if (body.type === 'phase.started') {
      this.begin(this.epochs.shift() ?? '', body.steps * this.batch + this.valid);
    } else if (body.type === 'epoch.finished') {
      this.accuracy = body.row.metrics.accuracy ?? Number.NaN;
      if (this.epochs.length === 0) this.end();
    }
  }

  private begin(name: string, images: number): void {
    this.end();
    this.open = { name, begun: performance.now(), images };
  }

  private end(): void {
    if (!this.open) return;
    const { name, begun, images } = this.open;
    this.parts.push({ name, seconds: (performance.now() - begun) / 1000, images });
    this.open = null;
  }
}

// A progress bar for each part of a job, by polling its event log.

import cliProgress from 'cli-progress';

const waitSeconds = 2;
const format = ' {part} {bar} {percentage}% | {value}/{total} | {rate} images/s | ETA {left}';

/** Follows the job to its end and answers it. */
export async function showProgress(call, jobId, datasetId) {
  const live = process.stdout.isTTY === true;
  const bars = new Bars(live);
  bars.begin('ingest', 1);
  let dataset = await call('GET', `/v1/datasets/${datasetId}`);
  while (!dataset.terminal) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    dataset = await call('GET', `/v1/datasets/${datasetId}`);
  }
  bars.end(dataset.images ?? 0);
  if (dataset.error) throw new Error(`${dataset.error.code}: ${dataset.error.message}`);

  let after = 0;
  for (;;) {
    const { data, next_after } = await call(
      'GET',
      `/v1/jobs/${jobId}/events?after=${after}&wait=${waitSeconds}`,
    );
    after = next_after;
    for (const event of data) {
      if (event.type === 'lr_find.started') bars.begin('lr_find', event.steps);
      if (event.type === 'phase.started') {
        bars.begin(event.trainable < event.parameters ? 'frozen' : 'unfrozen', event.steps);
      }
      if (event.type === 'lr_find.step' || event.type === 'step') bars.step(event);
      if (event.type === 'lr_find.finished') bars.end();
      if (event.type === 'epoch.finished') bars.epoch();
      if (event.type === 'resumed' || event.type === 'warning') bars.note(event);
    }
    if (['succeeded', 'failed', 'cancelled'].includes(data.at(-1)?.type)) break;
  }
  bars.end();
  return await call('GET', `/v1/jobs/${jobId}`);
}

/** A bar where there is a terminal, a line for each finished part where there is none. */
class Bars {
  constructor(live) {
    this.live = live;
    this.bar = null;
  }

  begin(part, total) {
    this.end();
    this.part = part.padEnd(8);
    this.total = total;
    this.beganAt = Date.now();
    if (!this.live) return;
    this.bar = new cliProgress.SingleBar({ format }, cliProgress.Presets.shades_classic);
    this.bar.start(total, 0, { part: this.part, rate: '-', left: '-' });
  }

  step({ step, steps, images_per_second: rate }) {
    this.total = steps;
    this.rate = Math.round(rate);
    const perStep = (Date.now() - this.beganAt) / Math.max(1, step);
    const left = `${Math.round(((steps - step) * perStep) / 1000)} s`;
    this.bar?.setTotal(steps);
    this.bar?.update(step, { part: this.part, rate: this.rate, left });
  }

  epoch() {
    this.bar?.update(this.total, { left: '0 s' });
  }

  end(images) {
    if (this.part === undefined) return;
    this.bar?.update(this.total, { left: '0 s' });
    this.bar?.stop();
    this.bar = null;
    const seconds = ((Date.now() - this.beganAt) / 1000).toFixed(1);
    const rate = images ? `${images} images` : `${this.rate ?? '-'} images/s at the end`;
    if (!this.live) process.stdout.write(` ${this.part} ${seconds} s, ${rate}\n`);
    this.part = undefined;
    this.rate = undefined;
  }

  note({ type, message, reason }) {
    this.bar?.stop();
    process.stdout.write(`\n ${type}: ${message ?? reason}\n`);
  }
}

// What fastai prints after fit_one_cycle, and where everything else is.

/** Prints a finished job. */
export function report(job, { page, url, keyFile, keep }) {
  const say = (text = '') => process.stdout.write(`${text}\n`);
  const { engine } = job;
  say();
  for (const [index, phase] of job.spec.phases.entries()) {
    const rows = job.metrics.filter((row) => row.phase === index);
    if (rows.length === 0) continue;
    say(
      `${phase.type}(${phase.epochs}, max_lr=${JSON.stringify(phase.max_lr ?? phase.lr)}, freeze=${phase.freeze})`,
    );
    table(rows).forEach((line) => void say(line));
    say();
  }
  say('Learning rates that the range test suggests');
  for (const [rule, lr] of Object.entries(job.suggestions)) {
    say(`  ${rule.padEnd(24)}${lr === null ? '-' : lr.toExponential(2)}`);
  }
  say();
  say(`Body           ${job.body}`);
  say(
    `Engine         ${engine.name} ${engine.version}, ${engine.isa}, ${engine.precision}, ${engine.threads} threads`,
  );
  say(`Report         ${page} (every plot; open it in a browser)`);
  say(`Job            GET ${url}/v1/jobs/${job.id}`);
  say(`Model          GET ${url}/v1/models/${job.model}/files/safetensors`);
  say(`API key        ${keyFile}`);
  if (!keep) say('\n`npm start` brings the stack up again with this job and model in it.');
}

function table(rows) {
  const metrics = Object.keys(rows[0].metrics);
  const number = (value) => (value === null ? '' : value.toFixed(6));
  const time = (seconds) =>
    `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;
  const lines = [
    ['epoch', 'train_loss', 'valid_loss', ...metrics, 'time'],
    ...rows.map((row) => [
      String(row.epoch),
      number(row.train_loss),
      number(row.valid_loss),
      ...metrics.map((name) => number(row.metrics[name])),
      time(row.seconds),
    ]),
  ];
  return lines.map((cells) =>
    cells
      .map((cell) => cell.padEnd(12))
      .join('')
      .trimEnd(),
  );
}

// A run as the learner hands it to the plots, of any size and with whatever names one likes.

import type { EpochRow, LrFindResult } from '../../src/domain/event.ts';
import type { Interpretation } from '../../src/domain/interpretation.ts';
import { parseSpec } from '../../src/domain/spec.ts';
import type { ReportData } from '../../src/plots/report/report-data.ts';
import type { StepPoint } from '../../src/plots/run-axis.ts';
import { expandPhases } from '../../src/training/fine-tune.ts';
import { classScores, mostConfused } from '../../src/training/interpretation.ts';
import { oneCycle } from '../../src/training/one-cycle.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { suggest } from '../../src/training/suggestions.ts';

/** The smallest PNG there is. */
const pixel =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export const hostileNames = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onload='alert(1)",
  '</style></svg>]]><svg onload=alert(1)>',
  'שלום ‮ مرحبا',
  '猫 🐱 \u0000\u0008\u001b\ud800',
  'url(#zr0-c0) {b} {a|rich}',
  '',
  '   ',
  `${'long '.repeat(300)}`,
  '{{constructor}} &lt;b&gt; &#0;',
  'constructor',
  '__proto__',
];

export function madeFind(steps = 100): LrFindResult {
  const random = keyedRandom(1);
  const lrs = Array.from({ length: steps }, (_, i) => 1e-7 * 1e8 ** (i / steps));
  const losses = lrs.map((lr) => {
    const place = Math.log10(lr);
    return 1.1 - 0.75 / (1 + Math.exp(-2 * (place + 3))) + 2 * Math.max(0, place + 0.5) ** 2;
  });
  const suggestions = suggest({ lrs, losses }, { skipStart: 10, skipEnd: 5, numIt: steps });
  return {
    phase: 0,
    lrs,
    losses,
    raw_losses: losses.map((loss) => loss * (0.9 + 0.2 * random.next())),
    stopped_early: false,
    suggestions,
    auto: { rule: 'valley', lr: suggestions.valley },
    skip_start: 10,
    skip_end: 5,
  };
}

/** Two phases of one-cycle. */
export function madeHistory(epochs: number, batches: number) {
  const random = keyedRandom(2);
  const steps: StepPoint[] = [];
  const rows: EpochRow[] = [];
  for (const [phase, rate] of [
    [1, 3e-2],
    [2, 1e-4],
  ] as const) {
    const cycle = {
      steps: epochs * batches,
      maxLr: [rate],
      divFactor: 25,
      finalDiv: null,
      pctStart: 0.3,
      moms: [0.95, 0.85] as [number, number],
    };
    for (let step = 0; step < cycle.steps; step++) {
      const { lr, mom } = oneCycle(cycle, step);
      const trend = 0.05 + Math.exp(-steps.length / (epochs * batches));
      const loss = trend * (0.7 + 0.6 * random.next());
      const epoch = Math.floor(step / batches);
      steps.push({ phase, epoch, lr: lr[0] ?? 0, mom, loss, smooth_loss: trend });
      if ((step + 1) % batches > 0) continue;
      const metrics = { accuracy: 1 - trend / 2, error_rate: trend / 2, f_beta: null };
      const losses = { train_loss: trend, valid_loss: 1.1 * trend };
      rows.push({ phase, epoch, ...losses, metrics, seconds: 6.4, lr });
    }
  }
  return { steps, rows };
}

export function madeMatrix(classes: number, perClass: number): number[][] {
  const random = keyedRandom(3, classes);
  return Array.from({ length: classes }, (_, actual) => {
    const row = new Array<number>(classes).fill(0);
    for (let i = 0; i < perClass; i++) {
      const predicted = random.next() < 0.8 ? actual : random.below(classes);
      row[predicted] = (row[predicted] ?? 0) + 1;
    }
    return row;
  });
}

export function madeInterpretation(
  classes: string[],
  { perClass = 20, topLosses = 9 } = {},
): Interpretation {
  const matrix = madeMatrix(classes.length, perClass);
  return {
    classes,
    confusion_matrix: matrix,
    most_confused: mostConfused(matrix, classes),
    class_scores: classScores(matrix, classes),
    top_losses: Array.from({ length: topLosses }, (_, i) => ({
      file: `valid/${classes[i % classes.length]}/${i}.png`,
      predicted: classes[(i + 1) % classes.length] ?? '',
      actual: classes[i % classes.length] ?? '',
      loss: 5 - i / 100,
      probability: Math.exp(-5 + i / 100),
      image: pixel,
      heat: i % 2 === 0 ? pixel : null,
    })),
    tta: null,
  };
}

export function madeReport(classes: string[], spec: Record<string, unknown> = {}): ReportData {
  const complete = parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', ...spec });
  return {
    job: 'job_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    createdAt: '2026-11-25T09:00:00.000Z',
    codeVersion: '0.1.0',
    spec: complete,
    phases: expandPhases(complete.phases),
    datasetDigest: 'd'.repeat(64),
    engine: { name: 'onednn', version: '2.6.3', isa: 'avx512', precision: 'bf16', threads: 2 },
    body: 'imagenet',
    parameters: 11705410,
    size: [224, 224],
    classes,
    counts: { train: classes.map(() => 80), valid: classes.map(() => 20) },
    lrFinds: [madeFind()],
    ...madeHistory(3, 40),
    validLoss: 0.08,
    metrics: { accuracy: 0.97, error_rate: 0.03, f_beta: null },
    interpretation: madeInterpretation(classes),
  };
}

// model-card.md: what a person wants to know of a model before using it (Mitchell 2019, arXiv:1810.03993), and what
// another run needs to make the same one.

import type { Manifest } from '../../src/domain/dataset.ts';
import { randomShare } from '../../src/domain/dataset-facts.ts';
import type { TrainingRecord } from '../../src/domain/job.ts';
import type { TrainedModel } from '../../src/domain/model.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';

/** With more classes the matrix is a wall of zeros, and the pairs confused most say it better. */
const matrixClassesMax = 20;
const confusedPairsMax = 20;

/** The card as Markdown. */
export function modelCardText(
  card: TrainedModel,
  { job, manifest, model }: { job: TrainingRecord; manifest: Manifest; model: FinishedModel },
): string {
  const { classes, provenance } = card;
  const { spec } = job;
  const { engine } = provenance;
  const title = card.name === '' ? card.id : card.name;
  return [
    `# ${escaped(title)}`,
    `An image classifier of ${classes.length} classes: ${classes.map(escaped).join(', ')}. Architecture ${card.arch}, ${card.parameters.toLocaleString('en')} parameters, trained by onecycle with fastai's recipe.`,
    '## Intended use',
    `To tell these ${classes.length} classes apart in images like those it was trained on. It answers one of them for every image, also for one that shows none of them; a high probability is no sign that the image is of a kind it knows. What it was not measured on, other cameras, places or people for instance, it may get wrong more often than the figures below say.`,
    `Input: RGB, ${card.size[0]} px high and ${card.size[1]} px wide, fitted by \`${card.resize_method}\`${card.normalize ? `, less mean [${card.normalize.mean.join(', ')}], divided by deviation [${card.normalize.std.join(', ')}]` : ', not normalised'}. preprocess.json beside each export says it exactly, labels.txt holds the classes in the order of the outputs.`,
    '## Data',
    `Data set \`${provenance.dataset}\`, digest \`${provenance.dataset_digest}\`.${splitRule(job, manifest)}`,
    countTable(manifest),
    '## Recipe',
    `Body: ${escaped(provenance.body)}. Head: hidden layers [${card.head.lin_ftrs.join(', ')}], dropout [${card.head.ps.join(', ')}], ${card.head.concat_pool ? 'maximum and mean pooling' : 'mean pooling'}${card.head.bn_final ? ', a final batch norm' : ''}. The complete specification, every default included:`,
    `\`\`\`json\n${JSON.stringify(spec, null, 2)}\n\`\`\``,
    '## Metrics',
    metricTable(card),
    '## Confusion',
    confusion(classes, model.confusionMatrix),
    '## Provenance',
    table(
      ['what', 'value'],
      [
        ['model', card.id],
        ['job', provenance.job],
        ['data set', provenance.dataset],
        ['data digest', provenance.dataset_digest],
        ['specification, sha256', provenance.spec_sha256],
        ['seed', String(spec.seed)],
        ['onecycle', provenance.code_version],
        [
          'engine',
          `${engine.name} ${engine.version}, ${engine.isa}, ${engine.precision}, ${engine.threads} threads`,
        ],
        ['made', card.created_at],
      ],
    ),
    '',
  ].join('\n\n');
}

/** Where the validation images came from. */
function splitRule({ spec }: TrainingRecord, { items }: Manifest): string {
  const valid = items.filter(({ split }) => split === 'valid').length;
  const share = randomShare(spec.data.valid_pct, valid);
  if (share === null) return ' The upload said which images are for validation.';
  return ` Of all images but those for the test ${share * 100}% were held out for validation, drawn with seed ${spec.seed}.`;
}

function countTable({ items, classes }: Manifest): string {
  const splits = ['train', 'valid', 'test', null].filter((split) =>
    items.some((item) => item.split === split),
  );
  const count = (label: string, split: string | null) =>
    String(items.filter((item) => item.label === label && item.split === split).length);
  return table(
    ['class', ...splits.map((split) => split ?? 'images')],
    classes.map((label) => [escaped(label), ...splits.map((split) => count(label, split))]),
  );
}

function metricTable({ metrics, test_metrics, provenance }: TrainedModel): string {
  const tableOf = (values: TrainedModel['metrics']) =>
    table(
      ['metric', 'value'],
      Object.entries(values).map(([name, value]) => [name, shown(value)]),
    );
  const rounded =
    provenance.engine.precision === 'bf16'
      ? '; the trainer rounded activations to bfloat16 meanwhile, the exports compute in float32'
      : '';
  const validation =
    Object.keys(metrics).length === 0
      ? 'There were no validation images: nothing was measured.'
      : `On the validation images, with the weights as they are exported${rounded}:\n\n${tableOf(metrics)}`;
  if (!test_metrics) return validation;
  return `${validation}\n\nOn the test images, which decided nothing:\n\n${tableOf(test_metrics)}`;
}

function confusion(classes: readonly string[], matrix: number[][] | null): string {
  if (matrix === null) return 'There were no validation images.';
  if (classes.length <= matrixClassesMax) {
    const rows = matrix.map((row, i) => [escaped(classes[i] ?? ''), ...row.map(String)]);
    return `Rows: what an image is. Columns: what the model says.\n\n${table(['', ...classes.map(escaped)], rows)}`;
  }
  const pairs = matrix.flatMap((row, i) =>
    row.flatMap((count, j) => (i === j || count === 0 ? [] : [{ i, j, count }])),
  );
  const most = pairs.sort((a, b) => b.count - a.count).slice(0, confusedPairsMax);
  const name = (index: number) => escaped(classes[index] ?? '');
  return table(
    ['is', 'is taken for', 'images'],
    most.map(({ i, j, count }) => [name(i), name(j), String(count)]),
  );
}

function shown(value: number | null): string {
  return value === null ? 'undefined' : String(Number(value.toPrecision(6)));
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What a person named, so that Markdown shows it as it is. */
function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#+!|~-]/g, '\\$&').replace(/\s+/g, ' ');
}

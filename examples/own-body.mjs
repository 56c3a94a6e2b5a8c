// Transfer learning with a body of one's own, by the API and with no network: a body is trained on digits that are
// neither 3 nor 7 (and one on Fashion-MNIST, where Debian's dataset-fashion-mnist is installed); then 3 is told from 7
// with 10, 30 and 100 images a class, three times each, from every body and from random weights. Everybody gets the
// same images, the same number of steps and the seed program's two phases; random weights get one phase, unfrozen.
//
//   npm start &
//   node --import tsx examples/own-body.mjs docs     # writes the table and the plot of docs/transfer.md

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { permutation } from '../src/training/random.ts';
import { archiveOf, firstOfEach, readDigits, readFashion } from './idx-images.mjs';
import { lineChart } from './line-chart.ts';
import { model, train, upload } from './running-onecycle.mjs';

const seeds = [1, 2, 3];
/** Images of each class, and how they are gone through: 60 to 100 steps in all. */
const tasks = [
  { images: 10, batch: 10, epochs: 30 },
  { images: 30, batch: 20, epochs: 20 },
  { images: 100, batch: 20, epochs: 10 },
];
const bodyImages = { train: 1000, valid: 100 };
const testImages = 500;
const target = [3, 7];

const digits = readDigits();
const fashion = readFashion();
const begun = Date.now();
const say = (text) =>
  console.log(`${((Date.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${text}`);

const others = [0, 1, 2, 4, 5, 6, 8, 9];
const bodies = [
  { name: 'random weights', pretrained: null },
  { name: 'body of eight other digits', pretrained: await trainBody('digits', digits, others) },
];
if (fashion) {
  const labels = [...Array(10).keys()];
  const pretrained = await trainBody('Fashion-MNIST', fashion, labels);
  bodies.push({ name: 'body of Fashion-MNIST', pretrained });
} else say('dataset-fashion-mnist is not installed: one body less');

const rows = [];
for (const { images, batch, epochs } of tasks) {
  const datasets = [];
  for (const seed of seeds) datasets.push(await uploadTask(images, seed));
  for (const body of bodies) {
    const reached = [];
    for (const [i, seed] of seeds.entries()) {
      const spec = { dataset: datasets[i], seed, pretrained: body.pretrained };
      const job = await train({
        ...spec,
        data: { batch_size: batch },
        phases: phases(body, epochs),
      });
      reached.push((await model(job.model)).metrics.accuracy);
    }
    rows.push({ images, body: body.name, reached, mean: meanOf(reached) });
    say(`${images} a class, ${body.name}: ${reached.map((a) => a.toFixed(3)).join(' ')}`);
  }
}
const table = tableOf();
console.log(`\n${table}`);
if (process.argv[2]) write(process.argv[2]);

async function trainBody(name, { train: all, test }, labels) {
  const images = {
    train: firstOfEach(all, labels, bodyImages.train),
    valid: firstOfEach(test, labels, bodyImages.valid),
  };
  const dataset = await upload(`body ${name}`, await archiveOf(images));
  const phase = { type: 'fit_one_cycle', epochs: 3, max_lr: 5e-3, freeze: false };
  const job = await train({ dataset, name: `body ${name}`, pretrained: null, phases: [phase] });
  const { metrics } = await model(job.model);
  say(`${job.model}, ${name}: accuracy ${metrics.accuracy.toFixed(3)}`);
  return job.model;
}

/** 3 against 7: some of the training images, drawn by the seed, and always the same of the test set. */
async function uploadTask(count, seed) {
  const drawn = permutation(digits.train.length, seed);
  const shuffled = Array.from(drawn, (i) => digits.train[i]);
  const images = {
    train: firstOfEach(shuffled, target, count),
    valid: firstOfEach(digits.test, target, testImages),
  };
  return await upload(`3 against 7, ${count} a class, seed ${seed}`, await archiveOf(images));
}

function phases({ pretrained }, epochs) {
  const fit = { type: 'fit_one_cycle' };
  if (pretrained === null) return [{ ...fit, epochs, max_lr: 3e-3, freeze: false }];
  return [
    { ...fit, epochs: epochs / 2, max_lr: 1e-2, freeze: true },
    { ...fit, epochs: epochs / 2, max_lr: { slice: [1e-5, 1e-3] }, freeze: false },
  ];
}

function tableOf() {
  const lines = tasks.map(({ images }) => {
    const cells = bodies.map(({ name }) => {
      const { mean, reached } = rows.find((row) => row.images === images && row.body === name);
      return `${mean.toFixed(3)} (${reached.map((a) => a.toFixed(3)).join(', ')})`;
    });
    return `| ${images} | ${cells.join(' | ')} |`;
  });
  const names = bodies.map(({ name }) => name);
  return [
    `| images a class | ${names.join(' | ')} |`,
    `|--:|${names.map(() => '---').join('|')}|`,
    ...lines,
  ].join('\n');
}

/** The table between its marks in transfer.md, and the plot beside it. */
function write(dir) {
  const page = join(dir, 'transfer.md');
  const text = readFileSync(page, 'utf8');
  writeFileSync(page, text.replace(/(?<=<!-- table -->\n)[\s\S]*?(?=<!-- end -->)/, `${table}\n`));
  const curves = bodies.map(({ name }) => ({
    name,
    points: rows.filter((row) => row.body === name).map(({ images, mean }) => [images, mean]),
  }));
  const svg = lineChart({
    title: '3 against 7: accuracy on 1,000 test images, mean of three seeds',
    x: 'Training images a class',
    y: 'Accuracy',
    curves,
  });
  writeFileSync(join(dir, 'images/transfer.svg'), svg);
}

function meanOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DefaultTreeAdapterTypes } from 'parse5';
import { reportHtml } from '../../src/plots/report/report.ts';
import type { ReportData } from '../../src/plots/report/report-data.ts';
import { hostileNames, madeFind, madeHistory, madeInterpretation, madeReport } from './made-run.ts';
import { elementsOf, fetchedBy, textOf } from './page.ts';

test('the page fetches nothing, runs nothing, and forbids both', () => {
  const page = reportHtml(madeReport(['3', '7']));
  assert.deepEqual(fetchedBy(page), []);
  const policy = elementsOf(page).find(({ attrs }) =>
    attrs.some(({ value }) => value === 'content-security-policy'),
  );
  const content = policy?.attrs.find(({ name }) => name === 'content')?.value;
  assert.match(content ?? '', /^default-src 'none'/);
});

test('hostile names of classes, files and jobs stay text, and the page stays whole', () => {
  const kind = new Set(
    elementsOf(reportHtml(madeReport(hostileNames.map((_, i) => `c${i}`)))).map(tag),
  );
  for (const name of hostileNames) {
    const data = madeReport(hostileNames, { name: name.slice(0, 200) });
    const page = reportHtml({ ...data, body: name });
    assert.deepEqual(fetchedBy(page), []);
    assert.deepEqual(
      elementsOf(page)
        .filter((element) => !kind.has(tag(element)))
        .map(tag),
      [],
    );
    // the last section is where it belongs, nothing swallowed it
    assert.match(textOf(page), /Provenance.*d{64}.*The complete spec/s);
  }
  const text = textOf(reportHtml(madeReport(hostileNames)));
  for (const name of [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '猫 🐱',
    'مرحبا',
  ])
    assert.ok(text.includes(name), name);
});

test('everything of a run is there', () => {
  const data = madeReport(['cat', 'dog'], { name: 'pets', seed: 7 });
  const text = textOf(reportHtml(data));
  for (const words of [
    'pets',
    'accuracy0.9700',
    'f beta–',
    '2: cat, dog',
    '160 to train on, 40 to validate on',
    'onednn 2.6.3, bf16, 2 threads',
    'Learning-rate range test',
    'Learning rate and momentum',
    '1 lr find',
    '2 fit one cycle, body frozen',
    'slice(0.000001, 0.0001)',
    'Confusion matrix',
    'Most confused',
    'Precision and recall by class',
    'Top losses',
    data.datasetDigest,
    '0.1.0',
    '"seed": 7',
  ]) {
    assert.ok(text.includes(words), words);
  }
});

test('a run without validation, range test or epochs has a page that says so', () => {
  const bare: ReportData = {
    ...madeReport(['a', 'b'], { phases: [{ type: 'lr_find' }] }),
    lrFinds: [],
    steps: [],
    rows: [],
    validLoss: null,
    metrics: {},
    interpretation: null,
  };
  const text = textOf(reportHtml(bare));
  assert.match(text, /nothing to validate on/);
  assert.match(text, /No epoch was trained/);
  assert.doesNotMatch(text, /Top losses|range test/);
});

test('several range tests each have their chart; no top losses, no section', () => {
  const data = madeReport(['a', 'b']);
  const interpretation = madeInterpretation(['a', 'b'], { topLosses: 0 });
  const page = reportHtml({ ...data, lrFinds: [madeFind(), madeFind(40)], interpretation });
  assert.equal([...page.matchAll(/Learning-rate range test/g)].length, 2);
  assert.doesNotMatch(textOf(page), /Top losses/);
});

test('the largest job there may be has a page of a few megabytes', () => {
  const classes = Array.from({ length: 1000 }, (_, i) => `a class with a longish name ${i}`);
  const data = madeReport(classes);
  const image = `data:image/jpeg;base64,${'A'.repeat(12_000)}`;
  const made = madeInterpretation(classes, { perClass: 50, topLosses: 100 });
  const top_losses = made.top_losses.map((loss) => ({ ...loss, image, heat: image }));
  const history = madeHistory(1000, 20);
  const page = reportHtml({ ...data, ...history, interpretation: { ...made, top_losses } });
  assert.ok(page.length < 6_000_000, `${page.length} bytes`);
  assert.match(textOf(page), /1900 epochs behind the first 20 are left out/);
});

function tag({ tagName }: DefaultTreeAdapterTypes.Element): string {
  return tagName;
}

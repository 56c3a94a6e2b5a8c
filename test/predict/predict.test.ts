// The predict route beside the model itself on images as training's own loader renders them.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, mock, test } from 'node:test';
import sharp from 'sharp';
import { Transforms } from '../../src/domain/data-options.ts';
import type { ManifestItem } from '../../src/domain/dataset.ts';
import { parseSpec } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { createLoader, type LoaderOptions } from '../../src/vision/loader.ts';
import { imagenetStats } from '../../src/vision/normalize.ts';
import { ttaPasses } from '../../src/vision/transforms/tta.ts';
import { ann, bob, startTestApi, type TestApi } from '../api/running-api.ts';
import { furthest, ownAnswer } from '../models/export/trained-model.ts';
import { somePhoto } from './some-photo.ts';
import { storeModel } from './stored-model.ts';
import { undecidedModel } from './undecided-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });
const classes = ['ant', 'bee', 'cat', 'dog'];
const size: [number, number] = [32, 40];
const head = { lin_ftrs: [32], ps: 0.5, concat_pool: true, bn_final: false };
const model = undecidedModel('resnet18', classes.length, head);
const photos = await Promise.all([
  somePhoto({ width: 97, height: 61, seed: 1 }),
  somePhoto({ width: 300, height: 200, seed: 2 }, 'webp'),
  somePhoto({ width: 40, height: 32, seed: 3 }, 'png'),
  somePhoto({ width: 20, height: 90, seed: 4 }, 'png'),
]);
const sizes: [number, number][] = [
  [97, 61],
  [300, 200],
  [40, 32],
  [20, 90],
];

let api: TestApi;
let url: string;
const models: Record<string, string> = {};
before(async () => {
  api = await startTestApi({ predictor: { imagesMax: 40 } });
  url = await api.app.listen({ port: 0 });
  const facts = { arch: 'resnet18' as const, classes, size };
  for (const [number, resize_method] of (['crop', 'pad', 'squish', 'no'] as const).entries()) {
    const named = { ...facts, number, resize_method, padding_mode: 'zeros' as const };
    models[resize_method] = await storeModel(api.records, model, named);
  }
  const turning = { ...facts, number: 8, exif_orientation: 'apply' as const };
  models.turning = await storeModel(api.records, model, turning);
  const only = (file: string) => !file.startsWith('onnx/');
  models.old = await storeModel(api.records, model, { ...facts, number: 9, only });
});
after(async () => {
  await api.close();
  model.dispose();
});

type Answer = {
  status: number;
  retryAfter: string | null;
  body: {
    model: string;
    tta: boolean;
    data: { file: string | null; predictions: { class: string; probability: number }[] }[];
    code: string;
    detail: string;
    errors: { path: string; message: string }[];
  };
};
const predict = async (
  id: string | undefined,
  body: Buffer | FormData | string,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<Answer> => {
  const response = await fetch(`${url}/v1/models/${id}/predict${query}`, {
    method: 'POST',
    headers: { authorization: ann, ...headers },
    body,
  });
  const retryAfter = response.headers.get('retry-after');
  return { status: response.status, retryAfter, body: (await response.json()) as Answer['body'] };
};
const formOf = (images: readonly Buffer[], field = 'image') => {
  const form = new FormData();
  for (const [index, image] of images.entries()) {
    form.append(field, new Blob([image]), `${index}.jpg`);
  }
  return form;
};
const rowOf = ({ body }: Answer, index = 0) => {
  const predictions = body.data[index]?.predictions ?? [];
  return classes.map(
    (name) => predictions.find((prediction) => prediction.class === name)?.probability ?? -1,
  );
};
/** What validation in training makes of the photos: a row of probabilities each. */
const ownRows = async (options: Partial<LoaderOptions>, chosen = photos.map((_, i) => i)) => {
  const imagesPath = join(api.dir, 'images.bin');
  await writeFile(imagesPath, Buffer.concat(chosen.map((i) => photos[i] ?? Buffer.alloc(0))));
  let offset = 0;
  const items = chosen.map((i): ManifestItem => {
    const [width, height] = sizes[i] ?? [0, 0];
    const length = photos[i]?.length ?? 0;
    offset += length;
    const common = { label: 'ant', split: null, orientation: 1, sha256: '' };
    return { file: `${i}`, offset: offset - length, length, width, height, ...common };
  });
  const loader = createLoader({
    items,
    imagesPath,
    classes,
    size,
    resizeMethod: 'crop',
    paddingMode: 'zeros',
    transforms: null,
    train: false,
    batchSize: chosen.length,
    normalize: imagenetStats,
    storage: 'f32',
    seed: 0,
    shuffle: false,
    dropLast: false,
    ...options,
  });
  try {
    for await (const { images, shape } of loader.batches(0)) {
      const { probabilities } = ownAnswer(model, images as Float32Array, shape);
      return chosen.map((_, i) => probabilities.subarray(4 * i, 4 * i + 4));
    }
    throw new Error('a loader without a batch');
  } finally {
    loader.close();
  }
};

for (const resizeMethod of ['crop', 'pad', 'squish'] as const) {
  test(`${resizeMethod}: an image is predicted as validation in training would`, async () => {
    const own = await ownRows({ resizeMethod });
    const answers = await Promise.all(photos.map((photo) => predict(models[resizeMethod], photo)));
    for (const [index, answer] of answers.entries()) {
      assert.equal(answer.status, 200, answer.body.detail);
      const apart = furthest(rowOf(answer), own[index] ?? []);
      assert.ok(apart < 1e-4, `image ${index} is ${apart} apart`);
    }
    const together = await predict(models[resizeMethod], formOf(photos));
    for (const index of photos.keys()) {
      assert.ok(furthest(rowOf(together, index), own[index] ?? []) < 1e-4);
      assert.equal(together.body.data[index]?.file, `${index}.jpg`);
    }
    assert.ok(new Set(answers.map((answer) => rowOf(answer)[0])).size === photos.length);
  });
}

test('a model that takes images as they are refuses those of another size, by their place', async () => {
  const fitting = await predict(models.no, photos[2] as Buffer);
  const [own = new Float32Array()] = await ownRows({ resizeMethod: 'no' }, [2]);
  assert.ok(furthest(rowOf(fitting), own) < 1e-4);
  const other = await predict(models.no, formOf([photos[2] as Buffer, photos[0] as Buffer]));
  assert.deepEqual([other.status, other.body.code], [422, 'image_unusable']);
  assert.deepEqual(
    other.body.errors.map(({ path }) => path),
    ['images.1'],
  );
  assert.match(other.body.detail, /40x32 .*97x61/);
});

test('a photo that lies on its side is turned by a model whose training turned them', async () => {
  const sideways = await sharp(photos[0]).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const upright = await sharp(sideways).autoOrient().png().toBuffer();
  const lying = await sharp(sideways).png().toBuffer();
  const rows = async (id: string | undefined) =>
    await Promise.all(
      [sideways, upright, lying].map(async (image) => rowOf(await predict(id, image))),
    );
  const [turned = [], asUpright = [], asLying = []] = await rows(models.turning);
  assert.ok(furthest(turned, asUpright) < 1e-4);
  assert.ok(furthest(turned, asLying) > 1e-3);
  const [ignored = [], , stored = []] = await rows(models.crop);
  assert.ok(furthest(ignored, stored) < 1e-4);
});

test('classes come by their probability, all of them or the first few', async () => {
  const all = await predict(models.crop, photos[0] as Buffer);
  const said = all.body.data[0]?.predictions ?? [];
  assert.equal(said.length, classes.length);
  assert.deepEqual(
    said,
    said.toSorted((a, b) => b.probability - a.probability),
  );
  const sum = said.reduce((total, { probability }) => total + probability, 0);
  assert.ok(Math.abs(sum - 1) < 1e-5);
  const two = await predict(models.crop, photos[0] as Buffer, { query: '?top=2' });
  assert.deepEqual(two.body.data[0]?.predictions, said.slice(0, 2));
  const bad = await predict(models.crop, photos[0] as Buffer, { query: '?top=0' });
  assert.deepEqual([bad.status, bad.body.errors[0]?.path], [422, 'top']);
});

test('tta is fastai’s, with the beta, scale and transforms of the model’s job', async () => {
  const transforms = Transforms.parse({ max_rotate: 0, max_warp: 0, max_lighting: 0 });
  const tta = { beta: 0.3, scale: 1.5 };
  const dataset = 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV';
  await api.records.putJob({
    id: (models.crop ?? '').replace('mdl_', 'job_'),
    owner: 'ann',
    type: 'train',
    dataset,
    spec: parseSpec({ dataset, pretrained: null, data: { transforms }, evaluation: { tta } }),
    created_at: new Date().toISOString(),
  });
  const [plain] = await ownRows({}, [0]);
  const expected = Array.from(plain ?? [], (p) => tta.beta * p);
  for (let pass = 0; pass < ttaPasses; pass++) {
    const [row] = await ownRows({ transforms, tta: { pass, scale: tta.scale } }, [0]);
    row?.forEach((p, c) => {
      expected[c] = (expected[c] ?? 0) + ((1 - tta.beta) / ttaPasses) * p;
    });
  }
  const answer = await predict(models.crop, photos[0] as Buffer, { query: '?tta=true' });
  assert.deepEqual([answer.status, answer.body.tta], [200, true]);
  assert.ok(furthest(rowOf(answer), expected) < 1e-4);
  assert.ok(furthest(expected, plain ?? []) > 1e-3, 'the augmented views say something else');
  const again = await predict(models.crop, photos[0] as Buffer, { query: '?tta=true' });
  assert.deepEqual(again.body, answer.body);
  // without a job, and so without transforms: zooms and flips
  const bare = await predict(models.squish, photos[0] as Buffer, { query: '?tta=true' });
  assert.equal(bare.status, 200);
});

test('what is no usable image, no image at all, or JSON is refused with the reason', async () => {
  const [photo = Buffer.alloc(0)] = photos;
  const noField = new FormData();
  const text = formOf([photo]);
  text.append('top', '1');
  const refused: [Buffer | FormData | string, Record<string, string>, number, RegExp][] = [
    [Buffer.from('no image'), { 'content-type': 'image/jpeg' }, 422, /not an image/],
    [photo.subarray(0, 300), { 'content-type': 'image/jpeg' }, 422, /cannot be decoded|image/],
    [Buffer.alloc(0), { 'content-type': 'image/jpeg' }, 422, /empty/],
    ['{"url": "http://x/cat.jpg"}', { 'content-type': 'application/json' }, 415, /not JSON/],
    [noField, {}, 400, /no image|breaks off/],
    [formOf([photo], 'picture'), {}, 400, /"picture"/],
    [text, {}, 400, /"top".*query/],
    [formOf(Array.from({ length: 33 }, () => photo)), {}, 400, /more than 32/],
    [Buffer.alloc(33 * 2 ** 20), { 'content-type': 'image/png' }, 413, /33554432 bytes/],
  ];
  for (const [body, headers, status, reason] of refused) {
    const answer = await predict(models.crop, body, { headers });
    assert.equal(answer.status, status, `${reason}: ${answer.body.detail}`);
    assert.match(answer.body.detail, reason);
  }
  const mixed = await predict(models.crop, formOf([photo, Buffer.from('x'), photo]));
  assert.deepEqual(
    mixed.body.errors.map(({ path }) => path),
    ['images.1'],
  );
});

test('a model without an export answers 409, an unknown one or another owner’s 404', async () => {
  const old = await predict(models.old, photos[0] as Buffer);
  assert.deepEqual([old.status, old.body.code], [409, 'model_not_exported']);
  const unknown = await predict('mdl_01ARZ3NDEKTSV4RRFFQ69G5FZZ', photos[0] as Buffer);
  assert.equal(unknown.status, 404);
  const others = await fetch(`${url}/v1/models/${models.crop}/predict`, {
    method: 'POST',
    headers: { authorization: bob },
    body: photos[0] as Buffer,
  });
  assert.equal(others.status, 404);
});

test('200 requests at once are answered or refused cleanly, and afterwards all is as before', async () => {
  const bodies = Array.from({ length: 200 }, (_, index) => photos[index % 4] as Buffer);
  const answers = await Promise.all(bodies.map((body) => predict(models.crop, body)));
  const right = await ownRows({});
  const answered = answers.filter(({ status }) => status === 200);
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 200) {
      assert.ok(furthest(rowOf(answer), right[index % 4] ?? []) < 1e-4);
    } else {
      assert.deepEqual([answer.status, answer.body.code], [503, 'predictor_busy']);
      assert.ok(Number(answer.retryAfter) >= 1);
    }
  }
  assert.ok(answered.length >= 40, `${answered.length} were answered`);
  assert.ok(answered.length < 200, 'none was refused: the bound was not seen');
  const next = await predict(models.crop, photos[0] as Buffer);
  assert.equal(next.status, 200);
});

test('memory is flat: rounds of 200 requests leave it where the first ones brought it', async () => {
  // decoded, it has 1.4 MB: those that are answered in ten rounds have more than 500 MB
  const photo = await somePhoto({ width: 800, height: 600, seed: 5 });
  const round = async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => predict(models.crop, photo)),
    );
    return answers.filter(({ status }) => status === 200).length;
  };
  const rss = () => process.memoryUsage().rss / 2 ** 20;
  for (let warm = 0; warm < 5; warm++) await round();
  const before = rss();
  let answered = 0;
  for (let count = 0; count < 10; count++) answered += await round();
  const grown = rss() - before;
  assert.ok(answered >= 400);
  assert.ok(grown < 160, `2000 requests added ${grown.toFixed(0)} MiB`);
});

test('models beyond the bound are dropped and loaded again, and each answers for itself', async () => {
  const small = await startTestApi({ predictor: { cacheBytes: 2 ** 20 } });
  try {
    const address = await small.app.listen({ port: 0 });
    const other = undecidedModel('resnet18', 2, { ...head, lin_ftrs: [] });
    const facts = { arch: 'resnet18' as const, size };
    const ids = [
      await storeModel(small.records, model, { ...facts, classes, number: 1 }),
      await storeModel(small.records, other, { ...facts, classes: ['x', 'y'], number: 2 }),
    ];
    other.dispose();
    const reads = mock.method(small.records, 'getModelFile');
    for (const id of [...ids, ...ids, ids[1]]) {
      const response = await fetch(`${address}/v1/models/${id}/predict`, {
        method: 'POST',
        headers: { authorization: ann },
        body: photos[0] as Buffer,
      });
      const { data } = (await response.json()) as Answer['body'];
      assert.equal(data[0]?.predictions.length, id === ids[0] ? 4 : 2);
    }
    const loads = reads.mock.calls.filter((call) => call.arguments[1] === 'onnx/model.onnx');
    assert.equal(loads.length, 5);
  } finally {
    await small.close();
  }
});

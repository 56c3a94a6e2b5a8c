// One prediction over HTTP, warm, beside what ONNX Runtime alone takes on the same image when its input lies ready:
// what decoding, fitting, HTTP and the way between threads add. API and peer are processes of their own, in turns.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ort from 'onnxruntime-node';
import { Manifest } from '../src/domain/dataset.ts';
import { startEngine } from '../src/engine/engine.ts';
import { createModel } from '../src/models/create-model.ts';
import { viewsOf } from '../src/predict/views.ts';
import { startEmbeddedRedis } from '../src/queue/embedded-redis.ts';
import { FileStore } from '../src/store/file-store.ts';
import { Records } from '../src/store/records.ts';
import { storeModel } from '../test/predict/stored-model.ts';
import { median } from './contest.ts';
import { inWorkDir, photos } from './data.ts';
import { machineName } from './machine.ts';
import { benchOptions } from './options.ts';
import { figures, printTable } from './table.ts';

type PredictRow = {
  case: string;
  size: number;
  milliseconds: number;
  onnxruntime_milliseconds: number;
  /** Ours / ONNX Runtime alone: 1 adds nothing. */
  ratio: number;
};

const arch = 'resnet18';
const key = 'bench-0123456789abcdef';
const options = benchOptions({ rounds: 40 });
const threads = options.threads ?? availableParallelism();
const size = options.quick ? 64 : 224;
const machine = machineName();
console.log(machine);
await startEngine({ engine: 'js', precision: 'f32', threads: null });

const rows = await inWorkDir(async (workDir) => {
  const dataDir = join(workDir, 'data');
  const records = new Records(new FileStore(join(dataDir, 'store')));
  const model = createModel(arch, {
    classes: 2,
    head: { lin_ftrs: [512], ps: 0.5, concat_pool: true, bn_final: false },
    seed: 1,
  });
  const classes = ['a', 'b'];
  const id = await storeModel(records, model, { number: 1, arch, classes, size: [size, size] });
  model.dispose();
  const redis = await startEmbeddedRedis(workDir);
  const api = await startApi(dataDir, redis.url);
  try {
    const image = await onePhoto(workDir);
    return [await rowOf(api.url, { records, id, image })];
  } finally {
    const gone = once(api.child, 'exit');
    api.child.kill('SIGTERM');
    await gone;
    await redis.close();
  }
});

printTable(
  { machine, rows },
  {
    predict: (row) => row.case,
    px: (row) => `${row.size}`,
    'ms by HTTP': (row) => figures(row.milliseconds),
    'ms by ONNX Runtime alone': (row) => figures(row.onnxruntime_milliseconds),
    ratio: (row) => figures(row.ratio),
  },
  options,
);

async function rowOf(
  url: string,
  { records, id, image }: { records: Records; id: string; image: Buffer },
): Promise<PredictRow> {
  const preprocess = JSON.parse(
    (await records.getModelFile(id, 'onnx/preprocess.json'))?.toString('utf8') ?? '',
  );
  const onnx = await records.getModelFile(id, 'onnx/model.onnx');
  if (!onnx) throw new Error('the model was not stored');
  const session = await ort.InferenceSession.create(onnx, {
    intraOpNumThreads: threads,
    logSeverityLevel: 3,
  });
  const input = new ort.Tensor('float32', await viewsOf(image, preprocess, null), [
    1,
    3,
    size,
    size,
  ]);
  const alone = async () => {
    await session.run({ input });
  };
  const overHttp = async () => {
    const response = await fetch(`${url}/v1/models/${id}/predict`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: image,
    });
    if (!response.ok) throw new Error(`predict answered ${response.status}`);
    await response.arrayBuffer();
  };
  for (let warm = 0; warm < 5; warm++) {
    await overHttp();
    await alone();
  }
  const times = { http: [] as number[], alone: [] as number[] };
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < 5; turn++) times.http.push(await clocked(overHttp));
    for (let turn = 0; turn < 5; turn++) times.alone.push(await clocked(alone));
  }
  await session.release();
  const [http, bare] = [median(times.http), median(times.alone)];
  return {
    case: `${arch}, a photo of ${Math.round(image.length / 1000)} kB`,
    size,
    milliseconds: http,
    onnxruntime_milliseconds: bare,
    ratio: http / bare,
  };
}

async function clocked(action: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

async function onePhoto(workDir: string): Promise<Buffer> {
  const data = await photos(workDir, { made: options.quick ? 8 : null });
  const manifest = Manifest.parse(JSON.parse(await readFile(data.manifestPath, 'utf8')));
  const item = manifest.items[0];
  if (!item) throw new Error('no photo');
  const file = await open(data.imagesPath);
  const image = Buffer.alloc(item.length);
  await file.read(image, 0, item.length, item.offset);
  await file.close();
  return image;
}

async function startApi(
  dataDir: string,
  redisUrl: string,
): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/server.ts'], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      STORAGE_URL: pathToFileURL(join(dataDir, 'store')).href,
      REDIS_URL: redisUrl,
      API_KEYS: `ann:${key}`,
      PORT: '0',
      THREADS: `${threads}`,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /http:\/\/[\d.:]+/.exec(said.toString())?.[0];
  if (!url) throw new Error(`the API said ${said}`);
  child.stdout.resume();
  return { url, child };
}

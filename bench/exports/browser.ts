// TF.js in a real headless Chromium: the page loads TF.js's own bundles and the files of the export, nothing of ours.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { furthest } from '../../test/models/export/trained-model.ts';
import type { Answer } from './finding.ts';
import type { Trained } from './trained.ts';

const browsers = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];
const bundles = ['core', 'backend-cpu', 'backend-webgl', 'converter'].map(
  (part) => `@tensorflow/tfjs-${part}/dist/tf-${part}.min.js`,
);
const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));

/** The model's answers by each backend, and by the lines of its README. */
export async function askBrowser(trained: Trained): Promise<Answer[]> {
  const executablePath = browserPath();
  if (!executablePath) {
    return [{ client: 'TF.js in Chromium', absent: `none of ${browsers.join(', ')} on PATH` }];
  }
  const server = createServer((request, response) => {
    contentOf(request.url ?? '/', trained).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const answers: Answer[] = [];
    for (const backend of ['cpu', 'webgl']) {
      await page.goto(addressOf(server));
      const client = `TF.js ${backend}, Chromium ${browser.version()}`;
      const script = answerScript(backend, trained.shape);
      const apart = furthest(await numbers(page, script), trained.probabilities);
      answers.push({ client, apart });
    }
    return [...answers, ...(await askReadme(page, trained))];
  } finally {
    await browser.close();
    server.close();
  }
}

/** Where an image needs no fitting, the README's lines must agree too. */
async function askReadme(page: Page, { dir, probabilities, card }: Trained): Promise<Answer[]> {
  const [, lines] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(dir, 'README.md'), 'utf8')) ?? [];
  const client = 'README.md, JavaScript';
  if (!lines) return [{ client, checked: false }];
  const script = `(async () => {
    const image = new Image();
    image.src = 'image';
    await image.decode();
    ${lines}
    return [image.width, image.height, ...probabilities];
  })()`;
  const [width, height, ...answer] = await numbers(page, script);
  const fitted = width === card.size[1] && height === card.size[0];
  const own = probabilities.subarray(0, card.classes.length);
  return fitted ? [{ client, apart: furthest(answer, own) }] : [{ client, checked: true }];
}

function answerScript(backend: string, shape: number[]): string {
  return `(async () => {
    if (!(await tf.setBackend('${backend}'))) throw new Error('no backend ${backend}');
    const bytes = await (await fetch('images.f32')).arrayBuffer();
    const model = await tf.loadGraphModel('tfjs/model.json');
    const images = tf.tensor4d(new Float32Array(bytes), ${JSON.stringify(shape)});
    return Array.from(await model.predict(images).data());
  })()`;
}

async function numbers(page: Page, script: string): Promise<number[]> {
  return (await page.evaluate(script)) as number[];
}

async function contentOf(url: string, { dir, imagesPath, encoded }: Trained) {
  if (url === '/') {
    const scripts = bundles.map((path) => `<script src="/modules/${path}"></script>`);
    return `<!doctype html><title>TF.js</title>${scripts.join('')}`;
  }
  if (url === '/images.f32') return await readFile(imagesPath);
  if (url === '/image') return encoded[0];
  const path = normalize(decodeURIComponent(url));
  const [, module] = /^\/modules\/(.+)$/.exec(path) ?? [];
  return await readFile(module ? join(modules, module) : join(dir, path));
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function browserPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return browsers.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

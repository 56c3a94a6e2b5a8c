// Everything that a finished model is written as: one folder per format, each with preprocess.json beside it.

import type { Arch } from '../../domain/arch.ts';
import type { Preprocess } from '../../domain/preprocess.ts';
import type { Model } from '../model.ts';
import { stateDict } from '../state-dict.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { evaluationGraph } from './evaluation-graph.ts';
import type { Graph } from './graph.ts';
import { writeOnnx } from './onnx.ts';
import { readme } from './readme.ts';
import { writeTfjs } from './tfjs.ts';
import { torchvisionNames } from './torchvision-names.ts';

export type ExportFile = { name: string; contentType: string; bytes: Uint8Array };
/** What a network does not know of itself. */
export type ExportFacts = Omit<Preprocess, 'input' | 'layout' | 'color' | 'interpolation'> & {
  arch: Arch;
};

/** One file after another, so that one at a time is in memory. */
export async function* exportFiles(model: Model, facts: ExportFacts): AsyncGenerator<ExportFile> {
  yield text('labels.txt', 'plain', labels(facts.classes));
  yield text('README.md', 'markdown', readme(facts));
  yield* safetensorsFiles(model, facts);
  yield* graphFiles(await evaluationGraph(model, facts.size), facts);
}

function* safetensorsFiles(model: Model, facts: ExportFacts): Generator<ExportFile> {
  const { arch } = facts;
  const tensors = stateDict(model);
  const metadata = metadataOf(facts);
  yield binary('safetensors/model.safetensors', writeSafetensors(tensors, metadata));
  const renamed = torchvisionNames(arch, tensors);
  yield binary('safetensors/torchvision.safetensors', writeSafetensors(renamed, metadata));
  yield preprocess('safetensors', facts, 'NCHW');
}

function* graphFiles(graph: Graph, facts: ExportFacts): Generator<ExportFile> {
  const { arch, classes } = facts;
  yield binary('onnx/model.onnx', writeOnnx(graph, metadataOf(facts)));
  yield preprocess('onnx', facts, 'NCHW');
  const tfjs = writeTfjs(graph, { arch, classes });
  for (const { name, bytes } of tfjs.shards) yield binary(`tfjs/${name}`, bytes);
  yield json('tfjs/model.json', tfjs.model);
  yield preprocess('tfjs', facts, 'NHWC');
}

function metadataOf({ arch, classes }: ExportFacts): Record<string, string> {
  return { arch, classes: JSON.stringify(classes) };
}

function text(name: string, kind: 'plain' | 'markdown', content: string): ExportFile {
  return { name, contentType: `text/${kind}; charset=utf-8`, bytes: Buffer.from(content) };
}

function binary(name: string, bytes: Uint8Array): ExportFile {
  return { name, contentType: 'application/octet-stream', bytes };
}

function preprocess(
  folder: string,
  { arch: _, ...facts }: ExportFacts,
  layout: Preprocess['layout'],
): ExportFile {
  const value: Preprocess = {
    input: 'input',
    layout,
    color: 'RGB',
    interpolation: { mode: 'bilinear', align_corners: true, area_above: 2 },
    ...facts,
  };
  return json(`${folder}/preprocess.json`, value);
}

function json(name: string, value: object): ExportFile {
  const bytes = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  return { name, contentType: 'application/json', bytes };
}

/** A class per line; a line break within a name is written `\n`, as in JSON. */
function labels(classes: readonly string[]): string {
  const lines = classes.map((name) => name.replaceAll('\r', '\\r').replaceAll('\n', '\\n'));
  return `${lines.join('\n')}\n`;
}

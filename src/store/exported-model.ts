import type { ModelCard } from '../domain/model.ts';
import { Preprocess } from '../domain/preprocess.ts';
import { problem } from '../domain/problem.ts';
import type { Records } from './records.ts';

/** The card, if the model has what predictions are made with. @throws Problem `model_not_exported` */
export function exported(card: ModelCard): ModelCard {
  if (card.files.some(({ name }) => name === 'onnx/model.onnx')) return card;
  throw problem('model_not_exported', `${card.id} has no onnx/model.onnx`);
}

/** A model's ONNX export. @throws Problem `model_not_exported` where the store has lost a file of it */
export async function readExport(
  records: Records,
  id: string,
): Promise<{ onnx: Uint8Array; preprocess: Preprocess }> {
  const preprocess = await records.getModelFile(id, 'onnx/preprocess.json');
  const onnx = await records.getModelFile(id, 'onnx/model.onnx');
  if (!onnx || !preprocess) {
    const missing = onnx ? 'onnx/preprocess.json' : 'onnx/model.onnx';
    throw problem('model_not_exported', `${id}: ${missing} is not in the store`);
  }
  return { onnx, preprocess: Preprocess.parse(JSON.parse(preprocess.toString('utf8'))) };
}

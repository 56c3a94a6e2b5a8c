import { z } from 'zod';
import type { Stack } from '../../test/e2e/running-stack.ts';
import { furthest } from '../../test/models/export/trained-model.ts';
import type { Answer } from './finding.ts';
import type { Trained } from './trained.ts';

const imagesPerRequest = 25;
const Predictions = z.object({
  data: z.array(
    z.object({ predictions: z.array(z.object({ class: z.string(), probability: z.number() })) }),
  ),
});

/** What the API answers for the image files themselves. */
export async function askPredictRoute(stack: Stack, trained: Trained): Promise<Answer> {
  const { card, encoded, probabilities } = trained;
  const client = `POST /v1/models/{id}/predict, ${encoded.length} files`;
  const said: number[] = [];
  for (let from = 0; from < encoded.length; from += imagesPerRequest) {
    const body = new FormData();
    for (const image of encoded.slice(from, from + imagesPerRequest)) {
      body.append('image', new Blob([image]), 'image');
    }
    const response = await stack.fetch(`/v1/models/${card.id}/predict`, { method: 'POST', body });
    const { data } = Predictions.parse(await response.json());
    for (const { predictions } of data) {
      const byClass = new Map(predictions.map((each) => [each.class, each.probability]));
      said.push(...card.classes.map((name) => byClass.get(name) ?? Number.NaN));
    }
  }
  return { client, apart: furthest(said, probabilities) };
}

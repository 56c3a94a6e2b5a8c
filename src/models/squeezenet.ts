// SqueezeNet 1.1's features (Iandola 2016, torchvision) as fastai cuts them: cut -1 keeps `features` as the
// body's one child, split before features.5 and features.8: with the head four layer groups.

import { concatChannels } from '../engine/ops/concat.ts';
import { maxPool } from '../engine/ops/pool.ts';
import type { Layer, ModelBuilder } from './model.ts';
import { fires } from './squeezenet-facts.ts';

const poolsBefore = new Set([3, 6, 9]);

/** Adds the body: [N,H,W,3] -> [N,h,w,512]. */
export function squeezenetBody(builder: ModelBuilder): { forward: Layer; features: number } {
  builder.group = 0;
  const conv1 = builder.convRelu('0.0.0', 3, 64, 3, 2);
  let channels = 64;
  const layers = fires.map(({ index, squeeze, expand }) => {
    builder.group = index < 5 ? 0 : index < 8 ? 1 : 2;
    const layer = fire(builder, `0.0.${index}`, channels, squeeze, expand);
    channels = 2 * expand;
    return { layer, pool: poolsBefore.has(index) };
  });
  const forward: Layer = (x, mode) =>
    layers.reduce(
      (h, { layer, pool }) => {
        return layer(pool ? maxPool(h, { size: 3, stride: 2, pad: 0, ceil: true }) : h, mode);
      },
      conv1(x, mode),
    );
  return { forward, features: channels };
}

function fire(
  b: ModelBuilder,
  name: string,
  inC: number,
  squeezeC: number,
  expandC: number,
): Layer {
  const squeeze = b.convRelu(`${name}.squeeze`, inC, squeezeC, 1);
  const expand1 = b.convRelu(`${name}.expand1x1`, squeezeC, expandC, 1);
  const expand3 = b.convRelu(`${name}.expand3x3`, squeezeC, expandC, 3, 1, 1);
  return (x, mode) => {
    const s = squeeze(x, mode);
    return concatChannels(expand1(s, mode), expand3(s, mode));
  };
}

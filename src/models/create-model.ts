import type { Arch } from '../domain/arch.ts';
import { createHead, type HeadOptions } from './head.ts';
import { type Model, ModelBuilder } from './model.ts';
import { resnetBody, resnets } from './resnet.ts';
import { squeezenetBody } from './squeezenet.ts';

/** Body by name, with fastai's head behind it; random weights drawn from `seed`. */
export function createModel(
  arch: Arch,
  { classes, head, seed }: { classes: number; head: HeadOptions; seed: number },
): Model {
  const builder = new ModelBuilder(seed);
  const body =
    arch === 'squeezenet1_1' ? squeezenetBody(builder) : resnetBody(builder, resnets[arch]);
  builder.group += 1;
  return builder.build(body.forward, createHead(builder, body.features, classes, head));
}

import { z } from 'zod';

export const Arch = z.enum(['resnet18', 'resnet34', 'resnet50', 'squeezenet1_1']);
export type Arch = z.infer<typeof Arch>;

/** Pixels that an image needs in both directions for every layer to have something to work on. */
export const smallestSide: Record<Arch, number> = {
  resnet18: 1,
  resnet34: 1,
  resnet50: 1,
  squeezenet1_1: 17,
};

/** How many layer groups fastai splits each into, the head included. */
export const layerGroups: Record<Arch, number> = {
  resnet18: 3,
  resnet34: 3,
  resnet50: 3,
  squeezenet1_1: 4,
};

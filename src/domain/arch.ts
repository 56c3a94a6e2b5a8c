import { z } from 'zod';

export const Arch = z.enum(['resnet18', 'resnet34', 'resnet50', 'squeezenet1_1']);
export type Arch = z.infer<typeof Arch>;

/** How many layer groups fastai splits each into, the head included. */
export const layerGroups: Record<Arch, number> = {
  resnet18: 3,
  resnet34: 3,
  resnet50: 3,
  squeezenet1_1: 4,
};

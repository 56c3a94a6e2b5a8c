// The zoo: pretrained bodies that can be had by name. torchvision's official ones are known here; a mirror (ZOO_URL)
// may add an organisation's own by a zoo.json beside its files.

import { z } from 'zod';
import { Arch } from './arch.ts';
import { Timestamp } from './time.ts';

const channels = z.array(z.number()).length(3);
/** Mean and deviation of each channel, RGB of 0..1. */
export const Statistics = z.strictObject({
  mean: channels,
  std: channels.refine((s) => s.every((v) => v > 0)),
});
export type Statistics = z.infer<typeof Statistics>;

/** torchvision's, in RGB of 0..1: what every official body was trained with. */
export const imagenetStatistics: Statistics = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

export type ZooBody = {
  /** What `pretrained` says; "imagenet" is the body of the spec's arch. */
  name: string;
  arch: Arch;
  file: string;
  /** In hex, or as much of its beginning as is known. */
  sha256: string;
  normalisation: Statistics | null;
  licence: string;
  /** As torchvision documents it; null where nobody said. */
  mebibytes: number | null;
  source: 'torchvision' | 'mirror';
};

/** Where torchvision's files lie. */
export const officialZooUrl = 'https://download.pytorch.org/models';

/**
 * torchvision's ImageNet weights, the first edition of each (IMAGENET1K_V1): those that fastai v1's recipe was made
 * with. The hash in a file's name begins its sha256, as torch.hub checks it.
 */
export const officialBodies: readonly ZooBody[] = (
  [
    ['resnet18', 'resnet18-f37072fd.pth', 44.7],
    ['resnet34', 'resnet34-b627a593.pth', 83.3],
    ['resnet50', 'resnet50-0676ba61.pth', 97.8],
    ['squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth', 4.7],
  ] as const
).map(([arch, file, mebibytes]) => ({
  name: arch,
  arch,
  file,
  sha256: /-([0-9a-f]{8,})\.pth$/.exec(file)?.[1] ?? '',
  normalisation: imagenetStatistics,
  licence: 'BSD-3-Clause',
  mebibytes,
  source: 'torchvision',
}));

/** One body of a mirror's zoo.json. */
const MirrorBody = z
  .strictObject({
    /** Named `imagenet`, or as its arch, it stands in for torchvision's. */
    name: z.string().regex(/^(?!mdl_)[a-z0-9][a-z0-9._-]{0,99}$/),
    arch: Arch,
    file: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/, 'expected a file name beside zoo.json'),
    sha256: z.string().regex(/^[0-9a-fA-F]{64}$/, 'expected 64 hex digits'),
    normalisation: z
      .union([z.literal('imagenet'), Statistics])
      .nullable()
      .default('imagenet'),
    licence: z.string().max(200).default('not said'),
  })
  .transform(
    (body): ZooBody => ({
      ...body,
      sha256: body.sha256.toLowerCase(),
      normalisation: body.normalisation === 'imagenet' ? imagenetStatistics : body.normalisation,
      mebibytes: null,
      source: 'mirror',
    }),
  );

/** zoo.json: a list of bodies, or an object with the list as `bodies`. */
export const MirrorIndex = z.union([
  z.array(MirrorBody).max(1000),
  z.strictObject({ bodies: z.array(MirrorBody).max(1000) }).transform(({ bodies }) => bodies),
]);

/** zoo/{file}.json in the store: a body that was fetched and checked; written behind the file itself. */
export const ZooRecord = z.object({
  file: z.string(),
  /** Whole, kept from the first download. */
  sha256: z.string(),
  bytes: z.int(),
  url: z.string(),
  fetched_at: Timestamp,
});
export type ZooRecord = z.infer<typeof ZooRecord>;

/** The body that a spec asks for; what a mirror says comes first. */
export function zooBody(
  bodies: readonly ZooBody[],
  { pretrained, arch }: { pretrained: string; arch: Arch },
): ZooBody | null {
  const names = pretrained === 'imagenet' ? ['imagenet', arch] : [pretrained];
  const named = bodies.filter(({ name }) => names.includes(name));
  return named.find((body) => body.arch === arch) ?? named[0] ?? null;
}

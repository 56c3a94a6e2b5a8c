import { type ImageKernels, paddingModes, planStride } from '../engine/onednn/image-kernels.ts';
import type { ChannelStats } from './normalize.ts';
import type { SourceImage } from './transforms/apply-plan.ts';
import type { Plan } from './transforms/plan.ts';

const unwarped = [1, 0, 0, 0, 1, 0, 0, 0] as const;
const unmoved = [1, 0, 0, 0, 1, 0] as const;

/** render-batch.ts's work as a native kernel does it, off this thread; images have three channels. */
export async function renderNatively(
  kernels: ImageKernels,
  images: readonly SourceImage[],
  plans: readonly Plan[],
  normalize: ChannelStats | null,
  out: Float32Array | Uint16Array,
): Promise<void> {
  const numbers = new Float64Array(images.length * planStride);
  const last = plans.every(({ before }) => !before)
    ? images
    : await Promise.all(images.map((image, n) => beforePlan(kernels, image, plans[n]?.before)));
  last.forEach((image, n) => {
    const plan = plans[n];
    if (!plan) throw new Error(`image ${n} of ${images.length} has no plan`);
    numbers.set(flat(image, plan), n * planStride);
  });
  return kernels.renderBatch({
    images: last.map(({ pixels }) => pixels),
    plans: numbers,
    normalize: normalize && Float32Array.from([...normalize.mean, ...normalize.std]),
    out,
  });
}

/** What an image is when its plan's own pass begins. */
async function beforePlan(
  kernels: ImageKernels,
  image: SourceImage,
  plan: Plan | null | undefined,
): Promise<SourceImage> {
  if (!plan) return image;
  const [h, w] = plan.out;
  const pixels = new Float32Array(h * w * 3);
  await renderNatively(kernels, [image], [plan], null, pixels);
  return { pixels, h, w };
}

/** A plan in the order that planStride says. */
function flat({ h, w }: SourceImage, plan: Plan): number[] {
  const { lighting } = plan;
  return [
    h,
    w,
    ...(plan.shrink ?? [0, 0]),
    ...(plan.grid ?? [0, 0]),
    ...(plan.warp ?? unwarped),
    ...(plan.affine ?? unmoved),
    lighting ? 1 : 0,
    lighting?.scale ?? 1,
    lighting?.shift ?? 0,
    plan.dihedral,
    ...plan.crop,
    ...plan.out,
    paddingModes.indexOf(plan.paddingMode),
  ];
}

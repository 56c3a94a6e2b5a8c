import { type ImageKernels, paddingModes, planStride } from '../engine/onednn/image-kernels.ts';
import type { ChannelStats } from './normalize.ts';
import type { SourceImage } from './transforms/apply-plan.ts';
import type { Plan } from './transforms/plan.ts';

const unwarped = [1, 0, 0, 0, 1, 0, 0, 0] as const;
const unmoved = [1, 0, 0, 0, 1, 0] as const;

/** render-batch.ts's work as a native kernel does it, off this thread; images have three channels. */
export function renderNatively(
  kernels: ImageKernels,
  images: readonly SourceImage[],
  plans: readonly Plan[],
  normalize: ChannelStats | null,
  out: Float32Array | Uint16Array,
): Promise<void> {
  const numbers = new Float64Array(images.length * planStride);
  images.forEach((image, n) => {
    const plan = plans[n];
    if (!plan) throw new Error(`image ${n} of ${images.length} has no plan`);
    numbers.set(flat(image, plan), n * planStride);
  });
  return kernels.renderBatch({
    images: images.map(({ pixels }) => pixels),
    plans: numbers,
    normalize: normalize && Float32Array.from([...normalize.mean, ...normalize.std]),
    out,
  });
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

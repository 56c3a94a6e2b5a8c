import type { z } from 'zod';
import type { DataOptions } from './data-options.ts';
import type { Phase } from './phase.ts';

type Change = Extract<Phase, { data: unknown }>['data'];
/** The part of a spec's `data` that a phase may change. */
export type DataOfPhase = Required<
  Pick<
    z.output<typeof DataOptions>,
    'size' | 'resize_method' | 'padding_mode' | 'batch_size' | 'transforms'
  >
>;

/** The data of each phase: the spec's, with what that phase and those before it changed. */
export function dataOfPhases(
  data: DataOfPhase,
  phases: readonly { data: Change }[],
): DataOfPhase[] {
  const { size, resize_method, padding_mode, batch_size, transforms } = data;
  let now: DataOfPhase = { size, resize_method, padding_mode, batch_size, transforms };
  return phases.map(({ data: change }) => {
    now = { ...now, ...definedOf(change) };
    return now;
  });
}

function definedOf(change: Change): Partial<DataOfPhase> {
  return Object.fromEntries(
    Object.entries(change ?? {}).filter(([, value]) => value !== undefined),
  );
}

import type { RunnablePhase } from '../training/fine-tune.ts';

/** A phase in a few words: its place, what it is, what of the network it trains. */
export function phaseName(phases: readonly RunnablePhase[], index: number): string {
  const phase = phases[index];
  return phase
    ? `${index + 1} ${phase.type.replaceAll('_', ' ')}${frozen(phase)}`
    : `phase ${index + 1}`;
}

function frozen({ freeze }: RunnablePhase): string {
  if (freeze === true) return ', body frozen';
  if (freeze === false) return ', all trained';
  return freeze === null ? '' : `, freeze to ${freeze}`;
}

/** Its rate as the spec has it. */
export function phaseRate(phase: RunnablePhase): string {
  if (phase.type === 'lr_find') return `${phase.start_lr} to ${phase.end_lr}`;
  const lr = phase.type === 'fit_one_cycle' ? phase.max_lr : phase.lr;
  if (typeof lr !== 'object') return String(lr);
  if (Array.isArray(lr)) return `[${lr.join(', ')}]`;
  return lr.slice === 'auto' ? 'slice(auto)' : `slice(${lr.slice.join(', ')})`;
}

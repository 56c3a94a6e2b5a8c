import type { z } from 'zod';
import { type Child, startContestant } from './child.ts';
import { machineName } from './machine.ts';
import { Hello } from './protocol.ts';

export type Ours = { child: Child; precision: 'f32' | 'bf16'; hello: z.infer<typeof Hello> };

/**
 * A contestant of the engine onednn for each precision that this machine has, and what all of it is in words.
 * @throws Error where the engine is not built
 */
export async function startOurs({ threads }: { threads: number | null }): Promise<{
  ours: [Ours, ...Ours[]];
  machine: string;
}> {
  const started = async (precision: Ours['precision']): Promise<Ours> => {
    const child = startContestant({ engine: 'onednn', precision, threads });
    try {
      return { child, precision, hello: await child.ask(Hello, { do: 'hello' }) };
    } catch (error) {
      await child.stop();
      throw error;
    }
  };
  const f32 = await started('f32');
  const ours: [Ours, ...Ours[]] = [f32];
  try {
    ours.push(await started('bf16'));
  } catch (error) {
    // the engine's own words where a CPU does not multiply bfloat16
    if (!(error as Error).message.includes('precision bf16')) throw error;
    console.error('Without bf16, which this CPU does not multiply.');
  }
  const { name, threads: used } = f32.hello;
  return { ours, machine: `${machineName()}; ${name}, ${used} thread${used === 1 ? '' : 's'}` };
}

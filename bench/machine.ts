import { cpus, totalmem } from 'node:os';

/** What this was measured on: processor, cores, memory. */
export function machineName(): string {
  const all = cpus();
  const cores = `${all.length} core${all.length === 1 ? '' : 's'}`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  return `${all[0]?.model.trim() ?? 'unknown CPU'}, ${cores}, ${memory}, ${process.platform} ${process.arch}`;
}

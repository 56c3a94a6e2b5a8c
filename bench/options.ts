// What every bench is told on its command line.

import { parseArgs } from 'node:util';

export type BenchOptions = {
  /** The last line is the table as one JSON object. */
  json: boolean;
  /** One round of small cases: that it runs and what it prints, not how fast. */
  quick: boolean;
  rounds: number;
  /** null: as many as the machine has. */
  threads: number | null;
};

/** `--json`, `--quick`, `--rounds N`, `--threads N`. @throws Error for anything else */
export function benchOptions({ rounds }: { rounds: number }): BenchOptions {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      threads: { type: 'string' },
    },
  });
  return {
    json: values.json,
    quick: values.quick,
    rounds: whole('rounds', values.rounds) ?? (values.quick ? 1 : rounds),
    threads: whole('threads', values.threads),
  };
}

function whole(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} must be a whole number above 0, got ${text}`);
}

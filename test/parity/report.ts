// What was compared, how far it was off, and how far it may be.

import { readAll, unread } from './watched.ts';

/** A number, or a nest of them; "NaN" and "Infinity" are written as strings in JSON. */
export type Numbers = number | string | null | readonly Numbers[] | ArrayLike<number>;

export type Line = {
  name: string;
  quantity: string;
  worst: number;
  tolerance: number;
  kind: 'absolute' | 'relative' | 'exact';
  count: number;
};

export class Report {
  readonly lines: Line[] = [];

  /** Every number within `abs`, or within `rel` of the expected one. */
  near(
    name: string,
    quantity: string,
    actual: Numbers,
    expected: Numbers,
    tolerance: { abs?: number; rel?: number },
  ) {
    const [a, e] = [flat(actual), flat(expected)];
    const { abs, rel } = tolerance;
    let worst = a.length === e.length && e.length > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (let i = 0; i < e.length && Number.isFinite(worst); i++) {
      const [got, want] = [a[i] ?? Number.NaN, e[i] ?? Number.NaN];
      if (Object.is(got, want) || (Number.isNaN(got) && Number.isNaN(want))) continue;
      const off = Math.abs(got - want);
      const value = rel === undefined ? off : off / Math.max(Math.abs(want), Number.MIN_VALUE);
      worst = Math.max(worst, Number.isNaN(value) ? Number.POSITIVE_INFINITY : value);
    }
    const kind = rel === undefined ? 'absolute' : 'relative';
    this.add({ name, quantity, worst, tolerance: rel ?? abs ?? 0, kind, count: e.length });
  }

  /** float32 figures are printed short: rounded back, they must be equal to the bit. */
  sameFloats(name: string, quantity: string, actual: Numbers, expected: Numbers) {
    this.near(name, quantity, actual, flat(expected).map(Math.fround), { abs: 0 });
  }

  /** The same value, by its JSON. */
  same(name: string, quantity: string, actual: unknown, expected: unknown) {
    const equal = JSON.stringify(actual) === JSON.stringify(expected);
    const worst = equal ? 0 : Number.POSITIVE_INFINITY;
    this.add({ name, quantity, worst, tolerance: 0, kind: 'exact', count: 1 });
  }

  /** Runs a case: one that throws, or says something of itself that nobody read, has failed, and others go on. */
  async run<T>(name: string, it: T, cases: (it: T) => void | Promise<void>) {
    try {
      await cases(it);
    } catch (error) {
      this.fail(name, `could not be run: ${lineOf(error)}`);
      readAll(it);
      return;
    }
    this.understood(name, it);
  }

  /** Fails the case where it says something of itself that nobody has read. */
  understood(name: string, it: unknown) {
    const fields = unread(it);
    if (fields.length > 0) this.fail(name, `not understood: ${fields.join(', ')}`);
    readAll(it);
  }

  fail(name: string, why: string) {
    this.add({
      name,
      quantity: why,
      worst: Number.POSITIVE_INFINITY,
      tolerance: -1,
      kind: 'exact',
      count: 0,
    });
  }

  /** One line a case: of its quantities the one that is nearest to failing. */
  get cases(): (Line & { pass: boolean })[] {
    const byCase = new Map<string, Line>();
    for (const line of this.lines) {
      const held = byCase.get(line.name);
      const count = (held?.count ?? 0) + line.count;
      const worse = !held || strain(line) > strain(held) ? line : held;
      byCase.set(line.name, { ...worse, count });
    }
    return [...byCase.values()].map((line) => ({ ...line, pass: line.worst <= line.tolerance }));
  }

  private add(line: Line) {
    this.lines.push(line);
  }
}

/** What a caller would be told, in one line. */
function lineOf(error: unknown): string {
  const { message } = error as Error;
  const { errors } = error as { errors?: { path: string; message: string }[] };
  const fields = (errors ?? []).map((e) => `${e.path}: ${e.message}`).join('; ');
  return [message, fields]
    .filter((part) => part !== '')
    .join(' ')
    .replaceAll(/\s+/g, ' ');
}

function strain({ worst, tolerance }: Line): number {
  if (worst === 0) return 0;
  if (tolerance < 0) return Number.POSITIVE_INFINITY;
  return tolerance === 0 ? Number.POSITIVE_INFINITY : worst / tolerance;
}

function flat(value: Numbers): number[] {
  if (typeof value === 'number') return [value];
  if (typeof value === 'string') return [Number(value)];
  if (value === null) return [Number.NaN];
  if (ArrayBuffer.isView(value)) return Array.from(value as ArrayLike<number>);
  return Array.from(value as ArrayLike<Numbers>).flatMap(flat);
}

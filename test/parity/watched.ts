// A golden case that knows which of its fields were read: what a case says of itself and nobody looked at
// would be a number that is not held to anything.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Node = { [key: string]: Json } | Json[];

/** Said to a reader, or of how the file came to be: nothing that a run could reproduce. */
const prose = new Set(['meta', 'description', 'note', 'formula']);
const precisions = /_(f32|f64|float32|float64|float32_as_fastai)$/;
const sources = new WeakMap<
  object,
  { node: Node; read: Set<string>; parts: Map<string, object> }
>();

/** The same JSON; reading it is remembered. */
export function watched<T>(json: T): T {
  return isNode(json) ? (watchedNode(json) as T) : json;
}

/** Paths that nobody read, `a.b.c`; of a list the list, of a figure in two precisions neither. */
export function unread(of: unknown): string[] {
  const source = typeof of === 'object' && of !== null ? sources.get(of) : undefined;
  if (!source) return [];
  const { node, read, parts } = source;
  const seen = new Set([...read].map((key) => key.replace(precisions, '')));
  const paths = Object.entries(node).flatMap(([key, value]) => {
    if (prose.has(key)) return [];
    if (!read.has(key)) {
      const other = precisions.test(key) && seen.has(key.replace(precisions, ''));
      return other ? [] : [key];
    }
    if (!isNode(value)) return [];
    return unread(parts.get(key)).map((rest) => `${key}.${rest}`);
  });
  return Array.isArray(node) ? [...new Set(paths.map((path) => path.replace(/^\d+/, '*')))] : paths;
}

/** Marks all of it as read: by whoever compares it whole, or has reported it. */
export function readAll(of: unknown): void {
  if (typeof of === 'object' && of !== null) for (const value of Object.values(of)) readAll(value);
}

/** Says of fields that they are left out: nothing here does what they tell of. */
export function leaveOut(it: object, fields: readonly string[]): void {
  for (const field of fields) readAll((it as Record<string, unknown>)[field]);
}

function watchedNode(node: Node): object {
  const read = new Set<string>();
  const parts = new Map<string, object>();
  const proxy = new Proxy(node, {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof key === 'symbol' || !Object.hasOwn(target, key) || key === 'length') return value;
      read.add(key);
      if (!isNode(value)) return value;
      const part = parts.get(key) ?? watchedNode(value);
      parts.set(key, part);
      return part;
    },
  });
  sources.set(proxy, { node, read, parts });
  return proxy;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

import { createContext, Script } from 'node:vm';
import { problem } from '../../domain/problem.ts';
import { settleSplits } from './class-folders.ts';
import type { Labelling, NamedFile } from './files.ts';
import { takeFolders } from './split-folders.ts';

const patternLengthMax = 500;
const matchMsMax = 5000;

// Runs where a pattern that backtracks for ever can be stopped; only strings go in and come out.
const matcher = new Script(`
  const expression = new RegExp(pattern);
  JSON.stringify(JSON.parse(paths).map((path) => expression.exec(path)?.[1] ?? null));
`);

/**
 * Labels by the first group of a regular expression, searched in `/` and the image's path (fastai's
 * from_name_re; Python's `(?P<name>` is understood).
 * @throws Problem `dataset_layout`
 */
export function labelByPattern(images: readonly NamedFile[], pattern: string | null): Labelling {
  if (!pattern) throw problem('dataset_layout', 'layout=name_re needs a pattern');
  if (pattern.length > patternLengthMax) {
    throw problem('dataset_layout', `The pattern is over ${patternLengthMax} characters`);
  }
  const labels = match(
    pattern,
    images.map((image) => `/${image.path}`),
  );
  const labelling: Labelling = { files: [], skipped: [], warnings: [] };
  images.forEach(({ index, path }, position) => {
    const label = labels[position];
    if (label) labelling.files.push({ index, path, label, split: null });
    else labelling.skipped.push({ file: path, reason: 'the pattern finds no label' });
  });
  if (labelling.files.length === 0) {
    throw problem(
      'dataset_layout',
      `The pattern ${pattern} finds no label in any path, such as ${JSON.stringify(`/${images[0]?.path}`)}`,
    );
  }
  return settleSplits(takeFolders(labelling, images));
}

function match(pattern: string, paths: string[]): (string | null)[] {
  const context = createContext(
    { pattern: pattern.replaceAll('(?P<', '(?<'), paths: JSON.stringify(paths) },
    { codeGeneration: { strings: false, wasm: false } },
  );
  try {
    return JSON.parse(matcher.runInContext(context, { timeout: matchMsMax }));
  } catch (error) {
    const timedOut = fieldOf(error, 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    const detail = timedOut
      ? `The pattern ${pattern} took over ${matchMsMax} ms: it backtracks too much`
      : `The pattern ${pattern} is not a regular expression: ${fieldOf(error, 'message')}`;
    throw problem('dataset_layout', detail, { cause: error });
  }
}

/** A field of an error that may come from the other context, and is then no instance of Error here. */
function fieldOf(error: unknown, name: 'code' | 'message'): unknown {
  return error !== null && typeof error === 'object' ? Reflect.get(error, name) : undefined;
}

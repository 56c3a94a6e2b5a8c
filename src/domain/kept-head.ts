import type { ModelCard } from './model.ts';
import { type Problem, problem } from './problem.ts';

const namesShown = 10;

/** Why the head of a model cannot be kept for a data set of `classes`; null where it can. */
export function keptHeadMisfit(
  { id, head, classes: trained }: Pick<ModelCard, 'id' | 'head' | 'classes'>,
  classes: readonly string[],
): Problem | null {
  if (head === null) {
    return refused(`${id} is a body without a head: there is none to keep`);
  }
  const added = classes.filter((name) => !trained.includes(name));
  const gone = trained.filter((name) => !classes.includes(name));
  if (added.length > 0 || gone.length > 0) {
    const faults = [
      added.length > 0 ? `the data set has ${listed(added)} too` : null,
      gone.length > 0 ? `the data set lacks ${listed(gone)}` : null,
    ].filter((fault) => fault !== null);
    return refused(`The head of ${id} was trained on other classes: ${faults.join('; ')}`);
  }
  if (trained.every((name, i) => name === classes[i])) return null;
  return refused(`The head of ${id} has the classes in another order: ${listed(trained)}`);
}

function refused(detail: string): Problem {
  return problem('classes_differ', detail, { errors: [{ path: 'head', message: detail }] });
}

function listed(names: readonly string[]): string {
  const first = names.slice(0, namesShown).map((name) => JSON.stringify(name));
  return `${first.join(', ')}${names.length > namesShown ? ` and ${names.length - namesShown} more` : ''}`;
}

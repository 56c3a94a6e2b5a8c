import type { z } from 'zod';
import type { FieldError } from './problem.ts';

type Issue = z.core.$ZodIssue;

/**
 * zod's issues as paths and messages that say what was expected and what came. Parse with `reportInput`, or
 * what came is not known. An unknown field is named itself, not its parent.
 */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        path: [...path, key].join('.'),
        message: 'unknown field',
      }));
    }
    return [{ path: path.join('.'), message: messageOf(issue) }];
  });
}

function messageOf(issue: Issue): string {
  const expected = expectation(issue);
  if (/, got /.test(expected)) return expected;
  if (issue.input === undefined) {
    return issue.code === 'invalid_type' ? `is missing: ${expected}` : expected;
  }
  const shown = JSON.stringify(issue.input);
  return `${expected}, got ${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}`;
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'too_big':
      return `expected at most ${issue.maximum}${unit(issue.origin)}`;
    case 'too_small':
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin)}`;
    case 'invalid_type':
      return `expected ${issue.expected === 'int' ? 'a whole number' : `a value of type ${issue.expected}`}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    default:
      return issue.message;
  }
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' elements' : '';
}

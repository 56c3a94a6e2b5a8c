import { problem } from '../domain/problem.ts';

/** The record, if it exists and is the owner's. @throws Problem `not_found`, the same for both */
export function found<T extends { owner: string }>(record: T | null, id: string, owner: string): T {
  if (record === null || record.owner !== owner) throw problem('not_found', `There is no ${id}`);
  return record;
}

/** Reads nothing for an id that cannot be one. @throws Problem `not_found` */
export function checkId(id: string, kind: { safeParse(id: string): { success: boolean } }): string {
  if (!kind.safeParse(id).success) throw problem('not_found', `There is no ${id}`);
  return id;
}

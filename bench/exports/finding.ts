/**
 * What a client of an export found: the largest distance of a probability from the trainer's, or whether a check
 * passed; `absent` says what it would take to ask it.
 */
export type Answer = { client: string } & (
  | { apart: number }
  | { checked: boolean }
  | { absent: string }
);

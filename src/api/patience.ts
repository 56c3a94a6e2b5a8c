/** How much and how long the API waits for a client: bytes and milliseconds. */
export type Patience = {
  /** The head of a request is there by then. */
  headersMs: number;
  /** While the API waits for a body, each such span brings `stallBytes` at least. */
  stallMs: number;
  stallBytes: number;
  /** What still comes after an early answer is read and thrown away: so much, so long, with gaps no longer. */
  discardBytes: number;
  discardMs: number;
  discardGapMs: number;
};

/** What a slow line can keep and an idle one can't: 100 bytes a second. */
export const patience: Patience = {
  headersMs: 30_000,
  stallMs: 30_000,
  stallBytes: 3000,
  discardBytes: 64 * 2 ** 20,
  discardMs: 30_000,
  discardGapMs: 3000,
};

import { z } from 'zod';

/** RFC 3339 in UTC, as `new Date().toISOString()` writes it. */
export const Timestamp = z.iso.datetime();
export type Timestamp = z.infer<typeof Timestamp>;

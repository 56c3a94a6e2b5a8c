import { z } from 'zod';

/** Above 0; nothing in a spec is as large as a million. */
export const positive = z.number().positive().max(1e6);
/** 0 to 1, both included. */
export const fraction = z.number().min(0).max(1);

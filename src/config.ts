// The environment, read once and in one place: each variable with its default, unit and purpose (the README
// has the same table). Nobody but entry points and workers reads this file.

import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';

type ApiKey = { owner: string; key: string };

const port = z.coerce
  .number('expected a port, 0..65535')
  .int('expected a port, 0..65535')
  .min(0, 'expected a port, 0..65535')
  .max(65535, 'expected a port, 0..65535');
const bytes = z.coerce
  .number('expected a number of bytes')
  .int('expected a number of bytes')
  .min(1, 'expected a number of bytes of at least 1');
const threads = z.coerce
  .number('expected a number of threads')
  .int('expected a number of threads')
  .min(1, 'expected at least 1 thread')
  .max(1024, 'expected at most 1024 threads');

const urlOf = (expected: string, accepts: (url: URL) => boolean) =>
  z.string().refine((value) => URL.canParse(value) && accepts(new URL(value)), expected);

const keys = z.string().transform((value, context): ApiKey[] =>
  value.split(',').flatMap((pair) => {
    const [, owner, key] =
      /^\s*([A-Za-z0-9._-]{1,64}):([\x21-\x2b\x2d-\x7e]{16,256})\s*$/.exec(pair) ?? [];
    if (owner !== undefined && key !== undefined) return [{ owner, key }];
    // the value itself is a secret, its place is not
    context.addIssue({
      code: 'custom',
      message:
        'expected owner:key[,owner:key], owners of [A-Za-z0-9._-], keys of at least 16 characters',
    });
    return [];
  }),
);

const Environment = z.object({
  PORT: port.default(3000),
  HOST: z.string().min(1, 'expected an address').default('127.0.0.1'),
  DATA_DIR: z.string().min(1, 'expected a folder').default('./data'),
  STORAGE_URL: urlOf(
    'expected file:///folder or s3://bucket/prefix',
    (url) =>
      (url.protocol === 'file:' && url.host === '') || (url.protocol === 's3:' && url.host !== ''),
  ).optional(),
  S3_ENDPOINT: urlOf('expected an http or https URL', (url) =>
    /^https?:$/.test(url.protocol),
  ).optional(),
  S3_REGION: z.string().default('us-east-1'),
  REDIS_URL: urlOf('expected redis://host:port or rediss://host:port', (url) =>
    /^rediss?:$/.test(url.protocol),
  ).optional(),
  API_KEYS: keys.optional(),
  ENGINE: z.enum(['auto', 'onednn', 'js'], 'expected auto, onednn or js').default('auto'),
  PRECISION: z.enum(['auto', 'f32', 'bf16'], 'expected auto, f32 or bf16').default('auto'),
  THREADS: threads.default(availableParallelism()),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'expected fatal, error, warn, info, debug, trace or silent',
    )
    .default('info'),
  MAX_UPLOAD_BYTES: bytes.default(20 * 2 ** 30),
  PREDICT_CACHE_BYTES: bytes.default(512 * 2 ** 20),
  ZOO_DIR: z.string().optional(),
  ZOO_URL: urlOf('expected an http or https URL', (url) =>
    /^https?:$/.test(url.protocol),
  ).optional(),
});

export type Config = {
  port: number;
  host: string;
  dataDir: string;
  storageUrl: string;
  s3Endpoint: string | null;
  s3Region: string;
  redisUrl: string | null;
  /** null: one key is made and kept in DATA_DIR/api-key. */
  apiKeys: ApiKey[] | null;
  engine: 'auto' | 'onednn' | 'js';
  precision: 'auto' | 'f32' | 'bf16';
  threads: number;
  logLevel: string;
  maxUploadBytes: number;
  predictCacheBytes: number;
  zooDir: string;
  /** A mirror of pretrained bodies, without a slash at its end; null: torchvision's own address. */
  zooUrl: string | null;
};

/** A start that cannot be: every fault of the environment at once. */
export class ConfigError extends Error {
  constructor(faults: string[]) {
    super(
      `The configuration has ${faults.length} fault${faults.length === 1 ? '' : 's'}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.name = 'ConfigError';
  }
}

/** The typed configuration; a variable that is set to nothing counts as unset. @throws ConfigError */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(set);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      const got = name === 'API_KEYS' ? '' : `, got ${JSON.stringify(set[name])}`;
      return `${name}: ${message}${got}`;
    });
    throw new ConfigError([...new Set(faults)]);
  }
  const env = parsed.data;
  const dataDir = resolve(env.DATA_DIR);
  return {
    port: env.PORT,
    host: env.HOST,
    dataDir,
    storageUrl: env.STORAGE_URL ?? pathToFileURL(join(dataDir, 'store')).href,
    s3Endpoint: env.S3_ENDPOINT ?? null,
    s3Region: env.S3_REGION,
    redisUrl: env.REDIS_URL ?? null,
    apiKeys: env.API_KEYS ?? null,
    engine: env.ENGINE,
    precision: env.PRECISION,
    threads: env.THREADS,
    logLevel: env.LOG_LEVEL,
    maxUploadBytes: env.MAX_UPLOAD_BYTES,
    predictCacheBytes: env.PREDICT_CACHE_BYTES,
    zooDir: resolve(env.ZOO_DIR ?? join(dataDir, 'zoo')),
    zooUrl: env.ZOO_URL?.replace(/\/+$/, '') ?? null,
  };
}

/** The environment for a child process that reads the same configuration, with some of it set. */
export function childEnvironment(overrides: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...overrides };
}

// Objects in an S3-compatible bucket. The SDK retries with backoff and jitter; what it gives up on becomes
// storage_unavailable. Its newer default checksums are off: several servers refuse them.

import { createHash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { problem } from '../domain/problem.ts';
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts';

export type S3Options = { bucket: string; prefix: string; endpoint: string | null; region: string };

export class S3Store implements ObjectStore {
  private readonly client: S3Client;
  private readonly bucket: string;
  private readonly prefix: string;

  /** Credentials come from the environment, as the SDK finds them. */
  constructor({ bucket, prefix, endpoint, region }: S3Options) {
    this.bucket = bucket;
    this.prefix = prefix;
    this.client = new S3Client({
      region,
      ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 5,
      retryMode: 'adaptive',
    });
  }

  async put(
    key: string,
    body: Uint8Array | string | Readable,
    options: { contentType?: string } = {},
  ): Promise<{ bytes: number; sha256: string }> {
    const hash = createHash('sha256');
    let bytes = 0;
    const common = { ...this.at(key), ContentType: options.contentType };
    if (!(body instanceof Readable)) {
      const whole = Buffer.from(body as Uint8Array);
      await this.ask(() => this.client.send(new PutObjectCommand({ ...common, Body: whole })));
      return { bytes: whole.length, sha256: hash.update(whole).digest('hex') };
    }
    const counted = body.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          bytes += chunk.length;
          done(null, chunk);
        },
      }),
    );
    // pipe does not hand on errors: an upload that breaks off must not become a shorter object
    body.once('error', (error) => counted.destroy(error));
    const upload = new Upload({
      client: this.client,
      params: { ...common, Body: counted },
      partSize: 8 * 2 ** 20,
      queueSize: 2,
    });
    await this.ask(() => upload.done(), body);
    return { bytes, sha256: hash.digest('hex') };
  }

  async putIfAbsent(key: string, body: Uint8Array | string): Promise<boolean> {
    const command = new PutObjectCommand({
      ...this.at(key),
      Body: Buffer.from(body as Uint8Array),
      IfNoneMatch: '*',
    });
    try {
      await this.ask(() => this.client.send(command));
      return true;
    } catch (error) {
      if (statusOf(error) === 412 || statusOf(error) === 409) return false;
      throw error;
    }
  }

  async get(key: string): Promise<Buffer | null> {
    const stream = await this.stream(key);
    if (!stream) return null;
    return await this.ask(async () => Buffer.concat(await stream.toArray()));
  }

  async stream(key: string, range?: ByteRange): Promise<Readable | null> {
    if (range && range.end <= range.start) return Readable.from([]);
    const Range = range && `bytes=${range.start}-${range.end - 1}`;
    const answer = await this.orNull(() =>
      this.client.send(new GetObjectCommand({ ...this.at(key), Range })),
    );
    // on Node the SDK's body is a Readable
    return (answer?.Body as Readable | undefined) ?? null;
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const answer = await this.orNull(() => this.client.send(new HeadObjectCommand(this.at(key))));
    if (!answer) return null;
    return {
      key,
      bytes: answer.ContentLength ?? 0,
      modifiedAt: answer.LastModified ?? new Date(0),
    };
  }

  async *list(
    prefix: string,
    options: { after?: string; limit?: number } = {},
  ): AsyncIterable<ObjectInfo> {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.bucket,
        Prefix: this.prefix + prefix,
        StartAfter: options.after === undefined ? undefined : this.prefix + options.after,
        ContinuationToken: token,
        MaxKeys: Math.min(1000, left),
      });
      const page = await this.ask(() => this.client.send(command));
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        yield { key: Key.slice(this.prefix.length), bytes: Size, modifiedAt: LastModified };
        left -= 1;
        if (left <= 0) return;
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token);
  }

  async delete(key: string): Promise<void> {
    await this.orNull(() => this.client.send(new DeleteObjectCommand(this.at(key))));
  }

  /** Files go through the API: a presigned URL needs a server that the caller can reach. */
  async presign(): Promise<null> {
    return null;
  }

  async check(): Promise<void> {
    await this.ask(() => this.client.send(new HeadBucketCommand({ Bucket: this.bucket })));
  }

  async close(): Promise<void> {
    this.client.destroy();
  }

  private at(key: string) {
    return { Bucket: this.bucket, Key: this.prefix + key };
  }

  private async orNull<T>(action: () => Promise<T>): Promise<T | null> {
    try {
      return await this.ask(action);
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  }

  /** An answer below 500 is the caller's; everything else means that the store is away. */
  private async ask<T>(action: () => Promise<T>, source?: Readable): Promise<T> {
    try {
      return await action();
    } catch (cause) {
      const status = statusOf(cause);
      if (source?.errored) throw source.errored;
      if (status !== undefined && status < 500 && status !== 429) throw cause;
      throw problem(
        'storage_unavailable',
        `The object store does not answer: ${(cause as Error).message}`,
        {
          cause,
        },
      );
    }
  }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

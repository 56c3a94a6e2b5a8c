import { Worker } from 'node:worker_threads';
import { type FieldError, problem } from '../domain/problem.ts';
import type { ExportedModel, Tta } from './request.ts';

/** What a thread is asked; it does one after the other. */
export type ThreadCall =
  | ({ kind: 'load'; model: string } & ExportedModel)
  | { kind: 'drop'; model: string }
  | { kind: 'run'; model: string; images: Uint8Array[]; tta: Tta | null };
/** `faults`: images that cannot be used, by their place and with the reason. */
export type ThreadAnswer =
  | { call: number; rows: Float32Array[] }
  | { call: number; faults: FieldError[] }
  | { call: number; error: unknown };

type Pending = { resolve(rows: Float32Array[]): void; reject(error: unknown): void };

/** What the thread runs. From the source, it has to be told of tsx: threads do not take that over on Node 20. */
function script(): URL {
  if (!import.meta.url.endsWith('.ts')) return new URL('./inference-main.js', import.meta.url);
  const [tsx, main] = ['tsx/esm/api', './inference-main.ts'].map((path) =>
    JSON.stringify(import.meta.resolve(path)),
  );
  const text = `import { register } from ${tsx}; register(); await import(${main});`;
  return new URL(`data:text/javascript,${encodeURIComponent(text)}`);
}

/** A thread with ONNX Runtime in it, started by the first call. */
export class InferenceThread {
  /** Images that were given to it and are not predicted yet; its user counts. */
  waiting = 0;
  private readonly cores: number;
  private worker: Worker | null = null;
  private readonly pending = new Map<number, Pending>();
  private calls = 0;

  constructor(cores: number) {
    this.cores = cores;
  }

  async load(model: string, exported: ExportedModel): Promise<void> {
    await this.call({ kind: 'load', model, ...exported }, [exported.onnx]);
  }

  /** @throws Problem `image_unusable` */
  run(model: string, images: Uint8Array[], tta: Tta | null): Promise<Float32Array[]> {
    return this.call({ kind: 'run', model, images, tta }, images);
  }

  /** Behind everything that it was asked before. */
  drop(model: string): void {
    this.call({ kind: 'drop', model }, []).catch(() => {});
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private call(call: ThreadCall, handedOver: readonly Uint8Array[]): Promise<Float32Array[]> {
    this.worker ??= this.start();
    const worker = this.worker;
    const id = this.calls++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, call }, transferable(handedOver));
    });
  }

  private start(): Worker {
    const worker = new Worker(script(), { workerData: { cores: this.cores } });
    worker.on('message', (answer: ThreadAnswer) => {
      const pending = this.pending.get(answer.call);
      this.pending.delete(answer.call);
      if (this.pending.size === 0) worker.unref();
      if ('rows' in answer) pending?.resolve(answer.rows);
      else if ('faults' in answer) pending?.reject(unusable(answer.faults));
      else pending?.reject(answer.error);
    });
    let reason: unknown = new Error('the inference thread was closed');
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', () => {
      this.worker = null;
      for (const { reject } of this.pending.values()) reject(reason);
      this.pending.clear();
    });
    return worker;
  }
}

/** The memory behind arrays that have it for themselves; any other is copied. */
function transferable(arrays: readonly Uint8Array[]): ArrayBuffer[] {
  return arrays.flatMap(({ buffer, byteLength }) =>
    buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [],
  );
}

function unusable(errors: FieldError[]) {
  return problem(
    'image_unusable',
    errors.map(({ path, message }) => `${path}: ${message}`).join('; '),
    { errors },
  );
}

import { rm } from 'node:fs/promises';

/**
 * Uploads checkpoints beside everything else; a newer one overtakes those that wait. The newest stays on
 * the disk: the next attempt on this machine begins from it.
 */
export class CheckpointUpload {
  latestPath: string | null;
  private readonly upload: (path: string) => Promise<unknown>;
  private waitingPath: string | null = null;
  private uploadedPath: string | null = null;
  private uploading: Promise<void> | null = null;
  private failure: unknown = null;

  /** `upload` stores the file at a path, patiently; `latestPath` is the checkpoint to begin from. */
  constructor(upload: (path: string) => Promise<unknown>, latestPath: string | null) {
    this.upload = upload;
    this.latestPath = latestPath;
  }

  /** Takes the file over as the newest checkpoint; returns at once. */
  save(path: string): void {
    this.latestPath = path;
    if (this.waitingPath) void rm(this.waitingPath, { force: true });
    this.waitingPath = path;
    this.uploading ??= this.uploadWaiting();
  }

  /** Resolves when the newest checkpoint is in the store. */
  async flush(): Promise<void> {
    await this.uploading;
    if (this.failure) throw this.failure;
  }

  private async uploadWaiting(): Promise<void> {
    try {
      while (this.waitingPath) {
        const path: string = this.waitingPath;
        this.waitingPath = null;
        await this.upload(path);
        if (this.uploadedPath) await rm(this.uploadedPath, { force: true });
        this.uploadedPath = path;
      }
    } catch (error) {
      this.failure = error;
    } finally {
      this.uploading = null;
    }
  }
}

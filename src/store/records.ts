// The system of record: which object holds what, and who writes it (docs/decisions/0001). Each object has
// one writer; the object that makes a thing exist is written last. What comes back is parsed, not trusted.

import type { Readable } from 'node:stream';
import { z } from 'zod';
import { DatasetRecord, DatasetReport, Manifest } from '../domain/dataset.ts';
import { JobEvent } from '../domain/event.ts';
import { JobControl, JobRecord, JobStatus } from '../domain/job.ts';
import { ModelCard, StoredFile } from '../domain/model.ts';
import { ModelFailure, ModelUpload } from '../domain/model-upload.ts';
import { MirrorIndex, type ZooBody, ZooRecord } from '../domain/zoo.ts';
import type { ByteRange, ObjectStore } from './object-store.ts';

export type ActiveKind = 'ingest' | 'training';

/** Typed access to the records in an ObjectStore. */
export class Records {
  readonly store: ObjectStore;

  constructor(store: ObjectStore) {
    this.store = store;
  }

  // Data sets: the API writes dataset.json and source, ingest writes the rest.
  putSource(id: string, body: Readable) {
    return this.store.put(`datasets/${id}/source`, body);
  }
  deleteSource(id: string) {
    return this.store.delete(`datasets/${id}/source`);
  }
  streamSource(id: string, range?: ByteRange) {
    return this.store.stream(`datasets/${id}/source`, range);
  }
  putDataset(record: DatasetRecord) {
    return this.putJson(`datasets/${record.id}/dataset.json`, record);
  }
  getDataset(id: string) {
    return this.getJson(`datasets/${id}/dataset.json`, DatasetRecord);
  }
  putImages(id: string, body: Readable) {
    return this.store.put(`datasets/${id}/images.bin`, body);
  }
  streamImages(id: string, range?: ByteRange) {
    return this.store.stream(`datasets/${id}/images.bin`, range);
  }
  putReport(id: string, report: DatasetReport) {
    return this.putJson(`datasets/${id}/report.json`, report);
  }
  getReport(id: string) {
    return this.getJson(`datasets/${id}/report.json`, DatasetReport);
  }
  /** Makes the data set ready: written after images.bin and report.json. */
  putManifest(id: string, manifest: Manifest) {
    return this.putJson(`datasets/${id}/manifest.json`, manifest);
  }
  getManifest(id: string) {
    return this.getJson(`datasets/${id}/manifest.json`, Manifest);
  }

  // Jobs: the API writes job.json and control.json, the worker that holds the job writes the rest.
  putJob(record: JobRecord) {
    return this.putJson(`jobs/${record.id}/job.json`, record);
  }
  getJob(id: string) {
    return this.getJson(`jobs/${id}/job.json`, JobRecord);
  }
  putControl(id: string, control: JobControl) {
    return this.putJson(`jobs/${id}/control.json`, control);
  }
  getControl(id: string) {
    return this.getJson(`jobs/${id}/control.json`, JobControl);
  }
  putStatus(id: string, status: JobStatus) {
    return this.putJson(`jobs/${id}/status.json`, status);
  }
  getStatus(id: string) {
    return this.getJson(`jobs/${id}/status.json`, JobStatus);
  }
  /** One segment of the event log, named by its first sequence number. */
  async putEvents(id: string, events: readonly JobEvent[]) {
    const first = events[0];
    if (!first) return;
    await this.store.put(
      eventSegment(id, first.seq),
      `${events.map((event) => JSON.stringify(event)).join('\n')}\n`,
    );
  }
  /** Events with a sequence number above `after`, in order. */
  async getEvents(id: string, after: number): Promise<JobEvent[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list(`jobs/${id}/events/`)) keys.push(key);
    // the segment that holds after + 1 is the last one whose name is not above it
    const next = eventSegment(id, after + 1);
    const begin = Math.max(
      0,
      keys.findLastIndex((key) => key <= next),
    );
    const events: JobEvent[] = [];
    for (const key of keys.slice(begin)) {
      const bytes = await this.store.get(key);
      for (const line of bytes?.toString('utf8').split('\n') ?? []) {
        if (line === '') continue;
        const event = JobEvent.parse(JSON.parse(line));
        if (event.seq > after && event.seq > (events.at(-1)?.seq ?? 0)) events.push(event);
      }
    }
    return events;
  }
  putCheckpoint(id: string, body: Readable | Uint8Array) {
    return this.store.put(`jobs/${id}/checkpoint.safetensors`, body);
  }
  streamCheckpoint(id: string) {
    return this.store.stream(`jobs/${id}/checkpoint.safetensors`);
  }
  async putArtifact(
    id: string,
    name: string,
    contentType: string,
    body: Readable | Uint8Array,
  ): Promise<StoredFile> {
    const { bytes, sha256 } = await this.store.put(`jobs/${id}/artifacts/${name}`, body, {
      contentType,
    });
    return { name, bytes, sha256, content_type: contentType };
  }
  getArtifact(id: string, name: string) {
    return this.store.get(`jobs/${id}/artifacts/${name}`);
  }
  streamArtifact(id: string, name: string, range?: ByteRange) {
    return this.store.stream(`jobs/${id}/artifacts/${name}`, range);
  }
  /** What artifacts there are; written after the artifacts it names. */
  putArtifactList(id: string, files: readonly StoredFile[]) {
    return this.putJson(`jobs/${id}/artifacts.json`, files);
  }
  async getArtifactList(id: string): Promise<StoredFile[]> {
    return (await this.getJson(`jobs/${id}/artifacts.json`, z.array(StoredFile))) ?? [];
  }

  // Models: the worker's; the card last.
  async putModelFile(
    id: string,
    name: string,
    contentType: string,
    body: Readable | Uint8Array,
  ): Promise<StoredFile> {
    const { bytes, sha256 } = await this.store.put(`models/${id}/${name}`, body, { contentType });
    return { name, bytes, sha256, content_type: contentType };
  }
  getModelFile(id: string, name: string) {
    return this.store.get(`models/${id}/${name}`);
  }
  streamModelFile(id: string, name: string, range?: ByteRange) {
    return this.store.stream(`models/${id}/${name}`, range);
  }
  putModel(card: ModelCard) {
    return this.putJson(`models/${card.id}/model.json`, card);
  }
  getModel(id: string) {
    return this.getJson(`models/${id}/model.json`, ModelCard);
  }

  // Uploaded weights: the API writes upload.json and source, the worker makes the model or says why it cannot.
  putModelSource(id: string, body: Readable) {
    return this.store.put(`models/${id}/source`, body);
  }
  deleteModelSource(id: string) {
    return this.store.delete(`models/${id}/source`);
  }
  streamModelSource(id: string) {
    return this.store.stream(`models/${id}/source`);
  }
  putModelUpload(upload: ModelUpload) {
    return this.putJson(`models/${upload.id}/upload.json`, upload);
  }
  getModelUpload(id: string) {
    return this.getJson(`models/${id}/upload.json`, ModelUpload);
  }
  putModelFailure(id: string, failure: ModelFailure) {
    return this.putJson(`models/${id}/failure.json`, failure);
  }
  getModelFailure(id: string) {
    return this.getJson(`models/${id}/failure.json`, ModelFailure);
  }

  // The zoo: the worker's that fetched a body; the record behind the file. Files put here by hand have none.
  putZooFile(file: string, body: Readable) {
    return this.store.put(`zoo/${file}`, body);
  }
  streamZooFile(file: string) {
    return this.store.stream(`zoo/${file}`);
  }
  zooFileInfo(file: string) {
    return this.store.head(`zoo/${file}`);
  }
  async zooFiles(): Promise<string[]> {
    const names: string[] = [];
    for await (const { key } of this.store.list('zoo/')) names.push(key.slice('zoo/'.length));
    return names;
  }
  putZooRecord(record: ZooRecord) {
    return this.putJson(`zoo/${record.file}.json`, record);
  }
  getZooRecord(file: string) {
    return this.getJson(`zoo/${file}.json`, ZooRecord);
  }
  /** A mirror's zoo.json as it came. */
  putMirrorIndex(text: string) {
    return this.store.put('zoo/zoo.json', text, { contentType: 'application/json' });
  }
  async getMirrorIndex(): Promise<ZooBody[]> {
    return (await this.getJson('zoo/zoo.json', MirrorIndex)) ?? [];
  }

  // Work that is not finished: the API puts the marker before it answers, the worker removes it at the end.
  mark(kind: ActiveKind, id: string) {
    return this.store.put(`active/${kind}/${id}`, '');
  }
  unmark(kind: ActiveKind, id: string) {
    return this.store.delete(`active/${kind}/${id}`);
  }
  /** When the marker was put; null when there is none. */
  async markedAt(kind: ActiveKind, id: string): Promise<Date | null> {
    return (await this.store.head(`active/${kind}/${id}`))?.modifiedAt ?? null;
  }
  async *active(kind: ActiveKind): AsyncIterable<string> {
    const prefix = `active/${kind}/`;
    for await (const { key } of this.store.list(prefix)) yield key.slice(prefix.length);
  }

  private putJson(key: string, value: unknown) {
    return this.store.put(key, JSON.stringify(value), { contentType: 'application/json' });
  }
  private async getJson<T extends z.ZodType>(key: string, schema: T): Promise<z.output<T> | null> {
    const bytes = await this.store.get(key);
    return bytes === null ? null : schema.parse(JSON.parse(bytes.toString('utf8')));
  }
}

function eventSegment(id: string, firstSeq: number): string {
  return `jobs/${id}/events/${String(firstSeq).padStart(10, '0')}.jsonl`;
}

import { closeSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import yauzl from 'yauzl';

const blockBytes = 2 ** 16;
const blocksMax = 8;

/** A file that yauzl reads in blocks: its many reads of a few bytes otherwise cost 50 us each. */
export class BlockReader extends yauzl.RandomAccessReader {
  private readonly fd: number;
  private readonly blocks = new Map<number, Buffer>();

  constructor(path: string) {
    super();
    this.fd = openSync(path, 'r');
  }

  /** Bytes of the file, fewer where it ends. */
  bytes(start: number, length: number): Buffer {
    if (length > blockBytes) return this.load(start, length);
    const parts: Buffer[] = [];
    for (let at = start; at < start + length; ) {
      const block = this.block(Math.floor(at / blockBytes));
      const from = at % blockBytes;
      const part = block.subarray(from, from + start + length - at);
      if (part.length === 0) break;
      parts.push(part);
      at += part.length;
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    const bytes = this.bytes(position, length);
    bytes.copy(buffer, offset);
    const error = bytes.length < length ? new Error('unexpected end of file') : null;
    process.nextTick(callback, error);
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from([this.bytes(start, end - start)]);
  }

  override close(callback: (error: Error | null) => void): void {
    closeSync(this.fd);
    process.nextTick(callback, null);
  }

  private block(number: number): Buffer {
    const found = this.blocks.get(number);
    if (found) return found;
    const block = this.load(number * blockBytes, blockBytes);
    const [oldest] = this.blocks.keys();
    if (this.blocks.size >= blocksMax && oldest !== undefined) this.blocks.delete(oldest);
    this.blocks.set(number, block);
    return block;
  }

  private load(start: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(this.fd, bytes, 0, length, start));
  }
}

// A .pth as torch.save writes it, in both of its containers: a zip of data.pkl and a file per storage, and
// before PyTorch 1.6 four pickles in a row with the storages behind them.

import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import { readPickle } from './pickle.ts';
import { broken, shown } from './stored-tensor.ts';
import { type TorchStorage, torchKnows } from './torch-objects.ts';

const legacyMagic = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;
const entriesMax = 20_000;

/** Whether these bytes begin as the newer container does. */
export function isTorchZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** Whether these bytes begin as the older container does: with a pickle. */
export function isTorchLegacy(bytes: Uint8Array): boolean {
  return bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5;
}

/** The object that was saved. @throws Problem `weights_invalid` */
export async function readTorchZip(file: Buffer): Promise<unknown> {
  const entries = await zipEntries(file);
  const pickles = [...entries.keys()].filter((name) => /(^|\/)data\.pkl$/.test(name));
  const [pickleName] = pickles;
  if (pickleName === undefined || pickles.length > 1) {
    throw broken('The zip is not one that torch.save wrote: expected one data.pkl in it', {
      hint: 'Send the .pth itself; TorchScript and whole modules are not weights.',
    });
  }
  const folder = pickleName.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw broken('The file is a TorchScript module, not a state_dict', {
      hint: 'Save its weights: torch.save(module.state_dict(), path).',
    });
  }
  const entry = (name: string) => {
    const read = entries.get(folder + name);
    if (!read) throw broken(`The zip has no ${shown(folder + name)}`);
    return read();
  };
  const order = entries.has(`${folder}byteorder`) ? entry('byteorder').toString() : 'little';
  if (order !== 'little' && order !== 'big') throw broken(`The byte order ${shown(order)} is none`);
  const knows = torchKnows();
  const pickle = entry('data.pkl');
  const { value, end } = readPickle(pickle, 0, knows);
  if (end !== pickle.length) throw broken('There is something behind the pickle in data.pkl');
  for (const storage of knows.storages.values()) {
    fill(storage, entry(`data/${storage.key}`), order === 'big');
  }
  const kept = [...entries.keys()].filter((name) => name.startsWith(`${folder}data/`)).length;
  if (kept !== knows.storages.size) {
    throw broken(`The zip has ${kept} storages, the pickle speaks of ${knows.storages.size}`);
  }
  return value;
}

/** The object that was saved. @throws Problem `weights_invalid` */
export function readTorchLegacy(file: Buffer): unknown {
  const nothing = { globals: new Map() };
  const magic = readPickle(file, 0, nothing);
  if (magic.value !== legacyMagic) {
    throw broken('The file is a pickle, but not one that torch.save wrote');
  }
  const protocol = readPickle(file, magic.end, nothing);
  if (protocol.value !== legacyProtocol) {
    throw broken(`The file has torch.save’s protocol ${shown(protocol.value)}, expected 1001`);
  }
  const system = readPickle(file, protocol.end, nothing);
  const little = system.value instanceof Map ? system.value.get('little_endian') : null;
  if (typeof little !== 'boolean') throw broken('The file does not say its byte order');
  const knows = torchKnows();
  const saved = readPickle(file, system.end, knows);
  const keys = readPickle(file, saved.end, nothing);
  const names: unknown[] = Array.isArray(keys.value) ? keys.value : [];
  const storages = new Set(names.flatMap((name) => knows.storages.get(String(name)) ?? []));
  if (storages.size !== knows.storages.size || storages.size !== names.length) {
    throw broken('The storages in the file are not those that the pickle speaks of');
  }
  let at = keys.end;
  for (const storage of storages) {
    if (file.length - at < 8) throw broken(`The file is cut off before storage ${storage.key}`);
    if (file.readBigUInt64LE(at) !== BigInt(storage.numel)) {
      throw broken(`Storage ${shown(storage.key)} has another length than the pickle says`);
    }
    at += 8;
    const bytes = file.subarray(at, at + storage.numel * storage.type.bytes);
    fill(storage, bytes, !little);
    at += bytes.length;
  }
  if (at !== file.length)
    throw broken(`There are ${file.length - at} bytes behind the last storage`);
  return saved.value;
}

function fill(storage: TorchStorage, bytes: Uint8Array, bigEndian: boolean): void {
  const expected = storage.numel * storage.type.bytes;
  if (bytes.length !== expected) {
    throw broken(
      `Storage ${shown(storage.key)} has ${bytes.length} bytes instead of ${expected}: the file is cut off or damaged`,
    );
  }
  storage.data = { bytes, bigEndian };
}

/** The files of the zip by name: stored ones only, as torch.save writes them, each held to its checksum. */
async function zipEntries(file: Buffer): Promise<Map<string, () => Buffer>> {
  const entries = new Map<string, () => Buffer>();
  try {
    const zip = await yauzl.fromBufferPromise(file, { decodeStrings: false });
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileNameRaw.toString('utf8');
      if (entries.has(name)) throw broken(`The zip has ${shown(name)} twice`);
      if (entries.size === entriesMax) throw broken(`The zip has more than ${entriesMax} entries`);
      if (entry.compressionMethod !== 0 || entry.compressedSize !== entry.uncompressedSize) {
        throw broken(`${shown(name)} is compressed; torch.save stores`, {
          hint: 'Send the .pth as torch.save wrote it, not packed again.',
        });
      }
      const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      entries.set(name, () => {
        const bytes = file.subarray(fileDataStart, fileDataStart + entry.uncompressedSize);
        if (bytes.length === entry.uncompressedSize && crc32(bytes) === entry.crc32) return bytes;
        throw broken(`${shown(name)} fails its checksum (CRC-32): the file is damaged`);
      });
    }
    return entries;
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'Problem') throw cause;
    throw broken(`The zip is damaged: ${(cause as Error).message}`, { cause });
  }
}

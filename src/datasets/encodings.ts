import { TextDecoder } from 'node:util';
import iconv from 'iconv-lite';
import { codePages } from '../domain/encoding.ts';

const decoders = new Map<string, TextDecoder | null>();

/**
 * The text of these bytes in an encoding (a WHATWG label, or a code page of DOS), null where they are not valid in
 * it; a byte order mark is a letter of it.
 */
export function decodedAs(encoding: string, bytes: Uint8Array): string | null {
  const label = encoding.toLowerCase();
  if (codePages.has(label)) return iconv.decode(Buffer.from(bytes), label);
  const decoder = decoderOf(label);
  if (decoder === null) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** Whether decodedAs can read it. */
export function isKnownEncoding(encoding: string): boolean {
  const label = encoding.toLowerCase();
  return codePages.has(label) || decoderOf(label) !== null;
}

function decoderOf(label: string): TextDecoder | null {
  const found = decoders.get(label);
  if (found !== undefined) return found;
  let decoder: TextDecoder | null = null;
  try {
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    // no label of WHATWG's
  }
  decoders.set(label, decoder);
  return decoder;
}

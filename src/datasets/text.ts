// Bytes become text once, here: by what they say themselves, else as UTF-8, else as the uploader says, else by a
// guess that is sure, else not at all. A letter that was lost never passes for one.

import { problem } from '../domain/problem.ts';
import { decodedAs } from './encodings.ts';
import { guessEncoding } from './guess-encoding.ts';

/** Text, with what to tell of how its encoding was found; null where nothing needs to be told. */
export type ReadText = { text: string; warning: string | null };

const lost = '\uFFFD';
const asUtf8 =
  'Save it as UTF-8, or say its encoding: ?encoding=shift_jis, gbk or windows-1252, for example.';

/**
 * The text of a table: by its byte order mark, as UTF-8, as `encoding` says, or by a guess.
 * @throws Problem `encoding_unknown` that names the file
 */
export function readText(
  bytes: Buffer,
  { path, encoding }: { path: string; encoding: string | null },
): ReadText {
  const mark = markOf(bytes);
  if (mark) return { text: whole(decodedAs(mark, bytes), path, mark), warning: null };
  // NUL is no letter of a text, and every second byte of UTF-16
  const utf8 = bytes.includes(0) ? null : decodedAs('utf-8', bytes);
  if (
    utf8 !== null &&
    !(encoding === null && isUnlikely(bytes, utf8)) &&
    !(encoding !== null && isDoubtful(bytes, utf8) && decodedAs(encoding, bytes) !== null)
  ) {
    return { text: whole(utf8, path, 'UTF-8'), warning: null };
  }
  if (encoding !== null)
    return { text: whole(decodedAs(encoding, bytes), path, encoding), warning: null };
  const guess = utf8 === null ? guessEncoding(bytes.includes(0) ? [bytes] : wordsOf(bytes)) : null;
  const text = guess === null ? null : decodedAs(guess, bytes);
  if (guess === null || text === null) {
    throw problem(
      'encoding_unknown',
      utf8 === null
        ? `${JSON.stringify(path)} is not UTF-8 (line ${badLine(bytes)}), and its encoding cannot be told for sure`
        : `${JSON.stringify(path)} may be UTF-8 or of another encoding: its letters beyond ASCII are too few to say, and its encoding cannot be told for sure`,
      { hint: utf8 === null ? asUtf8 : 'Say it: ?encoding=utf-8, if that is it.' },
    );
  }
  return {
    text: whole(text, path, guess),
    warning: `${JSON.stringify(path)} is not UTF-8; it is read as ${guess}, a guess by its letters: say encoding=... if they are wrong`,
  };
}

/** Whether letters were lost before this text came here. */
export function hasLostLetters(text: string): boolean {
  return text.includes(lost);
}

/**
 * Whether a valid UTF-8 text may be another encoding's: a few letters of two bytes each prove nothing beside
 * an encoding that has letters of two bytes, too.
 */
export function isDoubtful(bytes: Buffer, utf8: string): boolean {
  const letters = new Set(utf8.match(/[^\0-\x7f]/gu));
  return letters.size > 0 && letters.size <= 2 && !bytes.some((byte) => byte >= 0xe0);
}

/**
 * Whether a doubtful text is rather not UTF-8: none of its letters stands beside an ASCII one, as in `café`.
 * Shift_JIS's half-width `ﾈｺ` (cat) is the bytes of `Ⱥ`, and GBK's `猫` those of `è`.
 */
export function isUnlikely(bytes: Buffer, utf8: string): boolean {
  return isDoubtful(bytes, utf8) && !/[A-Za-z][^\0-\x7f]|[^\0-\x7f][A-Za-z]/.test(utf8);
}

/** Bytes for a message: as text where they are UTF-8, else with \xNN for what is not ASCII. */
export function showBytes(bytes: Buffer): string {
  const text = decodedAs('utf-8', bytes);
  if (text !== null) return JSON.stringify(text);
  const shown = JSON.stringify(bytes.toString('latin1'));
  return shown.replace(/[\x7f-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
}

/** The pieces between separators that hold other than ASCII, each once, without the digits that number them. */
export function wordsOf(bytes: Buffer): Buffer[] {
  // no second byte of any encoding is one of these
  const pieces = bytes.toString('latin1').split(/[\0-\x20"',/.;:]+/);
  const words = new Set(
    pieces.filter((piece) => /[\x80-\xff]/.test(piece)).map((piece) => piece.replace(/\d+$/, '')),
  );
  return [...words].map((word) => Buffer.from(word, 'latin1'));
}

/** The first line that is not UTF-8, from 1. */
function badLine(bytes: Buffer): number {
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, from);
    const to = end < 0 ? bytes.length : end;
    if (bytes.includes(0) || decodedAs('utf-8', bytes.subarray(from, to)) === null) break;
    from = to + 1;
  }
  return line;
}

function markOf(bytes: Buffer): string | null {
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  return a === 0xfe && b === 0xff ? 'utf-16be' : null;
}

function whole(text: string | null, path: string, encoding: string): string {
  const shown = JSON.stringify(path);
  if (text === null)
    throw problem('encoding_unknown', `${shown} is not ${encoding}`, { hint: asUtf8 });
  if (text.includes('\0')) {
    throw problem(
      'encoding_unknown',
      `${shown} holds NUL, read as ${encoding}: it is another encoding`,
      { hint: asUtf8 },
    );
  }
  return text.replace(/^\uFEFF/, '');
}

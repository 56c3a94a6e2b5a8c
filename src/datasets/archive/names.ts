// What the entries of an archive are called. Names are decoded over all entries together: one encoding for all
// that do not say theirs, and a `\` separates folders only where no name has a `/`.

import { problem } from '../../domain/problem.ts';
import { decodedAs } from '../encodings.ts';
import { guessEncoding } from '../guess-encoding.ts';
import { hasLostLetters, isDoubtful, isUnlikely, showBytes, wordsOf } from '../text.ts';
import type { ArchiveLimits } from './limits.ts';
import { safePath } from './path.ts';
import type { RawName } from './raw-entry.ts';

const wayOut =
  'Say it: ?encoding=shift_jis, gbk, euc-kr, cp437 or utf-8, for example; or pack the archive again with names in UTF-8.';

/**
 * The path of each name, in their order; '' for the top folder itself.
 * @throws Problem `encoding_unknown`, `archive_unsafe`, `archive_limit`
 */
export function pathsOf(
  names: readonly RawName[],
  {
    encoding,
    namesAreLabels,
    limits,
  }: {
    encoding: string | null;
    /** Whether labels are read from the names of files, and not of folders alone. */
    namesAreLabels: boolean;
    limits: ArchiveLimits;
  },
): { paths: string[]; warnings: string[] } {
  const warnings: string[] = [];
  const used = encodingOf(names, { asked: encoding, namesAreLabels, warnings });
  const texts = names.map((name) => textOf(name, used));
  const backslashSeparates = !texts.some((text) => text.includes('/'));
  const literal = backslashSeparates ? [] : texts.filter((text) => text.includes('\\'));
  if (literal.length > 0) {
    warnings.push(
      `${literal.length} names hold a \\, such as ${JSON.stringify(literal[0])}: it separates no folders, since other names have a /`,
    );
  }
  const paths = texts.map((text) => safePath(text, { backslashSeparates, limits }));
  return { paths, warnings };
}

/** The encoding of the names that do not say theirs; null where it is not known and does no harm. */
function encodingOf(
  names: readonly RawName[],
  {
    asked,
    namesAreLabels,
    warnings,
  }: { asked: string | null; namesAreLabels: boolean; warnings: string[] },
): string | null {
  const unsaid = names.filter(({ said }) => said === null).map(({ bytes }) => bytes);
  const words = wordsOf(Buffer.concat(unsaid.flatMap((bytes) => [bytes, Buffer.from('\n')])));
  if (words.length === 0) return 'utf-8';
  const joined = Buffer.concat(words);
  const utf8 = unsaid.every((bytes) => decodedAs('utf-8', bytes) !== null)
    ? decodedAs('utf-8', joined)
    : null;
  const doubtful = utf8 !== null && isDoubtful(joined, utf8);
  if (asked !== null && (utf8 === null || doubtful)) return asked;
  const strange = unsaid.filter((bytes) => bytes.some((byte) => byte >= 0x80));
  const example =
    strange.find((bytes) => decodedAs('utf-8', bytes) === null) ?? strange[0] ?? Buffer.alloc(0);
  const unlikely = utf8 !== null && isUnlikely(joined, utf8);
  if (utf8 !== null && !unlikely) {
    if (doubtful) {
      warnings.push(
        `names that do not say their encoding, such as ${showBytes(example)}, are read as UTF-8 for the little that they show: say encoding=... if they are wrong`,
      );
    }
    return 'utf-8';
  }
  const guess = unlikely ? null : guessEncoding(words);
  if (guess === null && !namesAreLabels && unsaid.every(isPlainBelow)) {
    warnings.push(
      `the names of files, such as ${showBytes(example)}, are in an encoding that cannot be told: their bytes are shown as %XX, unless you say encoding=...`,
    );
    return null;
  }
  if (guess === null) {
    throw problem(
      'encoding_unknown',
      `The name of the entry ${showBytes(example)} is not UTF-8 for sure, and the encoding of the names cannot be told`,
      { hint: wayOut },
    );
  }
  warnings.push(
    `names that are not UTF-8 are read as ${guess}, a guess by all of them together, such as ${JSON.stringify(decodedAs(guess, example))}: say encoding=... if they are wrong`,
  );
  return guess;
}

/** Whether only the file's own name, and no folder's, holds other than ASCII. */
function isPlainBelow(bytes: Buffer): boolean {
  const file = bytes.lastIndexOf(0x2f) + 1;
  return file > 0 ? bytes.subarray(0, file).every(isAscii) : bytes.every(isAscii);
}

function isAscii(byte: number): boolean {
  return byte < 0x80;
}

/** A name whose encoding is not known: each byte that may be a part of a letter as %XX. */
function escaped(bytes: Buffer): string {
  if (bytes.every(isAscii)) return bytes.toString('latin1');
  const hex = (letter: string) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
  return bytes.toString('latin1').replace(/[%\\\x80-\xff]/g, hex);
}

function textOf({ bytes, said }: RawName, encoding: string | null): string {
  const text = said ?? (encoding === null ? escaped(bytes) : decodedAs(encoding, bytes));
  if (text === null) {
    throw problem(
      'encoding_unknown',
      `The name of the entry ${showBytes(bytes)} is not ${encoding}`,
      {
        hint: wayOut,
      },
    );
  }
  if (hasLostLetters(text)) {
    throw problem(
      'encoding_unknown',
      `The name of the entry ${JSON.stringify(text)} holds U+FFFD: letters of it were lost before it came here`,
      { hint: 'Rename the file, or pack the archive again from the original names.' },
    );
  }
  return text;
}

// Which encoding words are in. A guess is sure in one of two ways: only one reading of the bytes looks like
// words at all, or the statistics of jschardet put one far before every other. Measured on names of countries,
// languages and everyday classes, 2 to 10 words at a time, in 19 encodings: see test/datasets/guess-encoding.test.ts.

import { detectAll } from 'jschardet';
import { decodedAs, isKnownEncoding } from './encodings.ts';

/** Encodings of names and tables that people meet; several give the same reading. */
const candidates = [
  ...['shift_jis', 'euc-jp', 'gb18030', 'big5', 'euc-kr'],
  ...[
    'windows-1252',
    'windows-1250',
    'windows-1251',
    'windows-1253',
    'windows-1254',
    'windows-1255',
  ],
  ...[
    'windows-1256',
    'windows-1257',
    'windows-1258',
    'windows-874',
    'iso-8859-2',
    'iso-8859-5',
    'iso-8859-7',
  ],
  ...[
    'koi8-r',
    'koi8-u',
    'ibm866',
    'macintosh',
    'x-mac-cyrillic',
    'cp437',
    'cp850',
    'cp852',
    'cp857',
  ],
];
/** jschardet's names for what TextDecoder calls otherwise. */
const aliases = new Map([
  ['cp932', 'shift_jis'],
  ['cp949', 'euc-kr'],
  ['cp874', 'windows-874'],
  ['maccyrillic', 'x-mac-cyrillic'],
  ['macroman', 'macintosh'],
  ['utf-16-le', 'utf-16le'],
  ['utf-16-be', 'utf-16be'],
]);
const confidenceMin = 0.05;
/** How far the first must be before the next that reads otherwise. */
const leadMin = 5;
const wordsMax = 2000;
const lettersMin = 8;

/** The encoding that these words are in, null where it is not sure. */
export function guessEncoding(words: readonly Buffer[]): string | null {
  if (words.length === 0) return null;
  // between words, not behind them: UTF-16 comes whole, and would no longer be it
  const bytes = Buffer.concat(
    words.slice(0, wordsMax).flatMap((word, i) => (i === 0 ? [word] : [Buffer.from('\n'), word])),
  );
  const readings = new Map<string, string>();
  for (const encoding of candidates) {
    const text = decodedAs(encoding, bytes);
    if (text !== null && looksLikeWords(text) && !readings.has(text)) readings.set(text, encoding);
  }
  const [only] = readings.values();
  if (readings.size === 1 && only !== undefined && saysEnough(bytes, only)) return only;
  return farBefore(bytes);
}

/** In Latin script the letters around show a wrong one; of another script it takes a few. */
function saysEnough(bytes: Buffer, encoding: string): boolean {
  const latin = /\p{Script=Latin}/u.test(decodedAs(encoding, bytes) ?? '');
  return latin || bytes.filter((byte) => byte >= 0x80).length >= lettersMin;
}

function farBefore(bytes: Buffer): string | null {
  const found = detectAll(bytes, { minimumThreshold: 0 })
    .map(({ encoding, confidence }) => {
      const name = encoding?.toLowerCase() ?? '';
      return { encoding: aliases.get(name) ?? name, confidence };
    })
    .filter(({ encoding }) => {
      if (!isKnownEncoding(encoding)) return !/^cp\d/.test(encoding);
      const text = decodedAs(encoding, bytes);
      return text !== null && looksLikeWords(text);
    });
  const [first] = found;
  if (!first || !isKnownEncoding(first.encoding) || first.confidence < confidenceMin) return null;
  const text = decodedAs(first.encoding, bytes);
  const next = found.find(({ encoding }) => decodedAs(encoding, bytes) !== text);
  return first.confidence >= leadMin * (next?.confidence ?? 0) ? first.encoding : null;
}

const scripts = ['Latin', 'Cyrillic', 'Greek', 'Hebrew', 'Arabic', 'Thai', 'Hangul'].map(
  (script) => new RegExp(`\\p{Script=${script}}`, 'u'),
);
const han = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** Letters of one script in each run of them, a capital only where a word begins or throughout. */
function looksLikeWords(text: string): boolean {
  // beside letters: ASCII, and the marks of Hebrew, Chinese and Japanese
  if (
    !/^[\t\n\r\x20-\x7e\p{L}\p{M}\p{N}\u05f3\u05f4\u3000-\u303f\u30fb\uff00-\uff60]*$/u.test(text)
  )
    return false;
  const runs = text.match(/[\p{L}\p{M}]+/gu) ?? [];
  return runs.every((run) => {
    const used = [...scripts, han].filter((script) => script.test(run));
    return used.length <= 1 && !/\p{Ll}\p{Lu}|\p{Lu}{2}\p{Ll}/u.test(run);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import iconv from 'iconv-lite';
import { readText, showBytes } from '../../src/datasets/text.ts';
import { Problem } from '../../src/domain/problem.ts';

const read = (bytes: Buffer, encoding: string | null = null) =>
  readText(bytes, { path: 'labels.csv', encoding });
const refused = (words: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === 'encoding_unknown' && words.test(error.message);
const table = (labels: string[]) =>
  ['name,label', ...labels.map((label, i) => `images/0${i}.jpg,${label}`)].join('\r\n');

test('UTF-8 is read as it is, with or without a byte order mark, whatever encoding is said', () => {
  const text = table(['Äpfel', '猫', '고양이']);
  assert.deepEqual(read(Buffer.from(text)), { text, warning: null });
  assert.deepEqual(read(Buffer.from(`\uFEFF${text}`)), { text, warning: null });
  assert.deepEqual(read(Buffer.from(text), 'shift_jis'), { text, warning: null });
});

test('a byte order mark makes UTF-16 certain, in both orders', () => {
  const text = table(['猫', '犬']);
  for (const encoding of ['utf16le', 'utf-16be']) {
    const bytes = iconv.encode(text, encoding, { addBOM: true });
    assert.deepEqual(read(bytes), { text, warning: null });
  }
});

test('UTF-16 without a mark is told by its zeros, and said', () => {
  const text = table(['cat', 'dog']);
  for (const encoding of ['utf-16le', 'utf-16be']) {
    const found = read(iconv.encode(text, encoding, { addBOM: false }));
    assert.equal(found.text, text);
    assert.match(found.warning ?? '', new RegExp(`read as ${encoding}`));
  }
});

test('the encoding that is said is used where the text is not UTF-8', () => {
  const cases: [string, string[]][] = [
    ['shift_jis', ['猫', '表']],
    ['gbk', ['猫', '狗']],
    ['windows-1252', ['café', 'Äpfel']],
    ['cp437', ['café', 'Äpfel']],
  ];
  for (const [encoding, labels] of cases) {
    const text = table(labels);
    assert.deepEqual(read(iconv.encode(text, encoding), encoding), { text, warning: null });
  }
});

test('an encoding that is said and wrong is refused, and so is one that cannot be told', () => {
  const bytes = iconv.encode(table(['猫', '犬', '鳥']), 'shift_jis');
  assert.throws(() => read(bytes, 'euc-kr'), refused(/is not euc-kr/));
  assert.throws(() => read(bytes), refused(/"labels.csv" is not UTF-8.*cannot be told/));
});

test('a guess that is sure is used, and said', () => {
  const text = table(['ひまわり', 'たんぽぽ', 'チューリップ', '写真']);
  const found = read(iconv.encode(text, 'shift_jis'));
  assert.equal(found.text, text);
  assert.match(found.warning ?? '', /"labels.csv" is not UTF-8; it is read as shift_jis, a guess/);
});

test('a text that holds NUL is in another encoding', () => {
  assert.throws(() => read(Buffer.from('a\0b,c\0d'), 'utf-8'), refused(/NUL/));
});

test('bytes in a message are text where they can be, and never a replacement character', () => {
  assert.equal(showBytes(Buffer.from('Äpfel"')), '"Äpfel\\""');
  assert.equal(showBytes(Buffer.from([0x94, 0x5c, 0x2f, 0x61])), '"\\x94\\\\/a"');
});

test('two bytes that are one letter of UTF-8 or of Chinese are not guessed, beside ASCII letters they are UTF-8', () => {
  const alone = Buffer.from('name,label\n0.jpg,è\n');
  assert.throws(() => readText(alone, { path: 'labels.csv', encoding: null }), /cannot be told/);
  assert.match(readText(alone, { path: 'labels.csv', encoding: 'gbk' }).text, /猫/);
  const word = Buffer.from('name,label\n0.jpg,café\n');
  assert.match(readText(word, { path: 'labels.csv', encoding: null }).text, /café/);
});

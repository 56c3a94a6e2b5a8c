import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pack } from 'tar-stream';
import { foreignArchive, sniffArchive } from '../../src/domain/archive-format.ts';

async function tarBytes(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'a.txt' }, 'hello');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('zip, gzip and tar are told by their first bytes', async () => {
  const tar = await tarBytes();
  assert.equal(sniffArchive(tar), 'tar');
  assert.equal(sniffArchive(Buffer.from([0x1f, 0x8b, 8, 0])), 'tgz');
  assert.equal(sniffArchive(Buffer.from('PK\x03\x04rest')), 'zip');
  assert.equal(sniffArchive(Buffer.from('PK\x05\x06rest')), 'zip');
});

test('a tar without the ustar magic is told by its checksum', async () => {
  const header = (await tarBytes()).subarray(0, 512);
  header.fill(0, 257, 512);
  header.write('        ', 148, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  assert.equal(sniffArchive(header), 'tar');
});

test('anything else is no archive, however short', () => {
  for (const bytes of [
    '',
    'P',
    '{"dataset": 1}',
    '\x89PNG\r\n',
    'x'.repeat(600),
    '\0'.repeat(512),
  ]) {
    assert.equal(
      sniffArchive(Buffer.from(bytes, 'latin1')),
      null,
      JSON.stringify(bytes.slice(0, 9)),
    );
  }
});

test('archives of other kinds are named', () => {
  const bytes = (text: string) => Buffer.from(text, 'latin1');
  assert.equal(foreignArchive(bytes('7z\xbc\xaf\x27\x1c\0')), '7z');
  assert.equal(foreignArchive(bytes('Rar!\x1a\x07\x01\0')), 'RAR');
  assert.equal(foreignArchive(bytes('\xfd7zXZ\0\0')), 'xz');
  assert.equal(foreignArchive(bytes('BZh91AY')), 'bzip2');
  assert.equal(foreignArchive(bytes('PK\x03\x04')), null);
  assert.equal(foreignArchive(bytes('')), null);
});

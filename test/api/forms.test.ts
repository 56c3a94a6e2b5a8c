import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { ann, startTestApi, type TestApi } from './running-api.ts';

let api: TestApi;
let url: string;
before(async () => {
  api = await startTestApi({ maxUploadBytes: 100_000 });
  url = await api.app.listen({ port: 0 });
});
after(() => api.close());

const archive = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(70_000, 7)]);
type Part = [string, string] | [string, Buffer];
type Answer = { code: string; detail: string; errors: { path: string }[] } & Record<
  string,
  unknown
>;

const formOf = (parts: Part[]) => {
  const form = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([value]), 'images.tgz');
  }
  return form;
};
const post = async (body: FormData | Buffer, query = '', headers: Record<string, string> = {}) => {
  const response = await fetch(`${url}/v1/datasets${query}`, {
    method: 'POST',
    headers: { authorization: ann, ...headers },
    body,
  });
  return { status: response.status, body: (await response.json()) as Answer };
};
const stored = async () => {
  const keys: string[] = [];
  for await (const { key } of api.records.store.list('')) keys.push(key);
  return keys;
};
afterEach(async () => {
  for (const key of await stored()) await api.records.store.delete(key);
});

const fields: Part[] = [
  ['name', 'mine'],
  ['layout', 'name_re'],
  ['pattern', '^(\\w+)_'],
  ['csv', 'täble.csv'],
  ['name_column', 'file'],
  ['label_column', 'breed'],
  ['encoding', 'latin1'],
];

for (const [where, parts] of [
  ['before the file', [...fields, ['file', archive]]],
  ['behind the file', [['file', archive], ...fields]],
] as [string, Part[]][]) {
  test(`form fields ${where} count as parameters`, async () => {
    const { status, body } = await post(formOf(parts));
    assert.equal(status, 201);
    for (const [name, value] of fields) assert.equal(body[name], value, name);
    assert.equal(body.bytes, archive.length);
    assert.deepEqual(await api.records.store.get(`datasets/${body.id}/source`), archive);
  });
}

test('what the query says and the form repeats is one thing; another value is refused by name', async () => {
  const file: Part = ['file', archive];
  const same = await post(formOf([file, ['name', 'a']]), '?name=a&csv=x.csv');
  assert.deepEqual([same.status, same.body.name, same.body.csv], [201, 'a', 'x.csv']);
  for (const parts of [[['name', 'b'], file] as Part[], [file, ['name', 'b']] as Part[]]) {
    const { status, body } = await post(formOf(parts), '?name=a');
    assert.deepEqual([status, body.code, body.errors[0]?.path], [422, 'invalid_query', 'name']);
    assert.match(body.detail, /"a".*"b"/);
  }
  const twice = await post(formOf([['csv', '1'], file, ['csv', '2']]));
  assert.deepEqual([twice.status, twice.body.errors[0]?.path], [422, 'csv']);
});

test('an unknown field, a bad value, a second file and a missing one are refused by name, and nothing stays', async () => {
  const file: Part = ['file', archive];
  const refused: [Part[], number, RegExp][] = [
    [[['colour', 'red'], file], 422, /colour: unknown field/],
    [[file, ['colour', 'red']], 422, /colour: unknown field/],
    [[file, ['__proto__', 'x']], 422, /__proto__/],
    [[file, ['layout', 'spiral']], 422, /layout.*"spiral"/],
    [[file, ['layout', 'name_re']], 422, /pattern/],
    [[file, ['pattern', 'x']], 422, /layout=name_re/],
    [[file, ['name', 'x'.repeat(10_000)]], 400, /name is over 8192 bytes/],
    [[file, file], 400, /second file/],
    [[['images', archive]], 400, /file "images"/],
    [[['file', 'text']], 400, /text/],
    [[['name', 'x']], 400, /no file/],
    [[['file', Buffer.from('no archive')]], 422, /no archive/],
    [[['file', Buffer.alloc(0)]], 422, /empty/],
    [[['file', Buffer.concat([archive, archive])]], 413, /100000 bytes/],
    [
      [file, ...Array.from({ length: 40 }, () => ['name', 'x'] as Part)],
      400,
      /more than 32 fields/,
    ],
  ];
  for (const [parts, expected, reason] of refused) {
    const { status, body } = await post(formOf(parts));
    assert.equal(status, expected, `${reason}: ${body.detail}`);
    assert.match(body.detail, reason);
    assert.deepEqual(await stored(), [], String(reason));
  }
});

test('a broken form is a bad request: no boundary, unclosed, empty, of another kind', async () => {
  const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n';
  const type = { 'content-type': 'multipart/form-data; boundary=b' };
  const file = Buffer.concat([Buffer.from(part), archive]);
  const broken: [Buffer, Record<string, string>, number, RegExp][] = [
    [file, { 'content-type': 'multipart/form-data' }, 400, /no boundary/],
    [file, type, 400, /breaks off/],
    [Buffer.concat([file, Buffer.from('\r\n--b')]), type, 400, /breaks off/],
    [Buffer.concat([file, Buffer.from('\r\n--b\r\ncontent-disp')]), type, 400, /breaks off/],
    [Buffer.from(part), type, 400, /breaks off|empty/],
    [Buffer.from('--b'), type, 400, /breaks off/],
    [Buffer.alloc(0), type, 400, /breaks off|no file/],
    [Buffer.from('--b--\r\n'), type, 400, /no file/],
    [file, { 'content-type': 'multipart/mixed; boundary=b' }, 415, /multipart\/form-data/],
    [file, { 'content-type': 'application/gzip' }, 422, /neither zip nor tar/],
  ];
  for (const [body, headers, expected, reason] of broken) {
    const answer = await post(body, '', headers);
    assert.equal(answer.status, expected, `${reason}: ${answer.body.detail}`);
    assert.match(answer.body.detail, reason);
    assert.deepEqual(await stored(), [], String(reason));
  }
});

test('a file of exactly the limit is taken in a form as it is as the body', async () => {
  const whole = Buffer.concat([archive, Buffer.alloc(100_000 - archive.length)]);
  assert.equal((await post(formOf([['file', whole]]))).status, 201);
  assert.equal((await post(whole)).status, 201);
});

test('a form that was refused is not waited for any more', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = timers();
  for (let count = 0; count < 20; count++) {
    const order: Part[] = [
      ['file', archive],
      ['colour', 'red'],
    ];
    assert.equal((await post(formOf(count % 2 ? order : order.toReversed()))).status, 422);
  }
  // the client of this process has one or two of its own
  assert.ok(timers() <= before + 4, `${timers() - before} timers were left`);
});

test('a field that curl made a form within the form of is refused with the way out', async () => {
  const inner = '--in\r\nContent-Disposition: attachment\r\n\r\n[^/]+)\r\n--in--\r\n';
  const body = Buffer.from(
    `--out\r\nContent-Disposition: form-data; name="pattern"\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n${inner}\r\n--out--\r\n`,
  );
  const answer = await post(body, '', { 'content-type': 'multipart/form-data; boundary=out' });
  assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request']);
  assert.match(`${answer.body.detail} ${answer.body.hint}`, /pattern.*--form-string/);
});

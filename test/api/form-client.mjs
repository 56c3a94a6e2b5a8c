// A JavaScript client in a process of its own, as clients are: it posts a form by fetch, again and again.
// node form-client.mjs URL KEY BYTES TRIES -> {"401 unauthorized": 12}

const [url, authorization, bytes, tries] = process.argv.slice(2);
const file = new Blob([Buffer.alloc(Number(bytes), 7)]);
const seen = {};
for (let count = 0; count < Number(tries); count++) {
  const body = new FormData();
  body.append('file', file, 'images.tgz');
  const answer = await fetch(url, { method: 'POST', headers: { authorization }, body }).then(
    async (response) => `${response.status} ${(await response.json()).code}`,
    (error) => String(error.cause?.code ?? error.cause ?? error),
  );
  seen[answer] = (seen[answer] ?? 0) + 1;
}
console.log(JSON.stringify(seen));

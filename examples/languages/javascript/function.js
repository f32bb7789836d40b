// The `wasi-http` contract in JavaScript, by the web's own interfaces: a component that answers by the
// last part of the path, and shows what becomes of functions that fail.
addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

const ANSWERS = {
  // What comes in goes out, piece by piece.
  echo: (request) => new Response(request.body),

  // Each value of the field x-name, in a field of the response.
  headers(request) {
    const headers = new Headers({ 'content-type': 'text/plain' });
    headers.set('x-seen', request.headers.get('x-name') ?? '');
    return new Response('seen', { status: 203, headers });
  },

  fail() {
    throw new Error('this function fails');
  },

  loop() {
    for (;;);
  },

  eat() {
    const eaten = [];
    for (;;) eaten.push(new Uint8Array(1 << 20).fill(1));
  },
};

async function answer(request) {
  const path = new URL(request.url).pathname;
  const chosen = ANSWERS[path.slice(path.lastIndexOf('/') + 1)];
  return chosen ? chosen(request) : new Response('hello', { headers: { 'content-type': 'text/plain' } });
}

// Once when the component is built: what is compiled, linked and cached on first use is part of it then,
// and not made anew for each request.
await (await answer(new Request('http://localhost/'))).text();

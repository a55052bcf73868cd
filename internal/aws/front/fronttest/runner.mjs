// Runs a viewer-request function with a replacement for CloudFront's module "cloudfront". Each
// request is a line of JSON ({id, event, store}), and each answer is one ({id, result, origin}).
import { AsyncLocalStorage } from 'node:async_hooks';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const requests = new AsyncLocalStorage();

globalThis.__cloudfront = {
  kvs: () => ({
    async get(key, options) {
      const { store } = requests.getStore();
      if (!Object.hasOwn(store, key)) throw new Error('KeyNotFound');
      return options?.format === 'json' ? JSON.parse(store[key]) : store[key];
    },
    exists: async (key) => Object.hasOwn(requests.getStore().store, key),
  }),
  selectRequestOriginById(id) {
    requests.getStore().origin = { id };
  },
  updateRequestOrigin(changes) {
    const request = requests.getStore();
    request.origin = { ...request.origin, ...changes };
  },
};

const { handler } = await import(pathToFileURL(process.argv[2]));

// "Restrictions on edge functions" of the Developer Guide.
const disallowed = /^(connection|expect|keep-alive|proxy-.*|trailer|upgrade|x-accel-.*|x-amz-cf-.*|x-amzn-.*|x-cache.*|x-edge-.*|x-forwarded-proto|x-real-ip|cookie)$/;
const readOnly = ['content-length', 'host', 'transfer-encoding', 'via'];

function check(before, result) {
  if (result.statusCode) return;
  if (!result.uri?.startsWith('/')) throw new Error(`the URI ${result.uri} does not begin with a slash`);
  for (const [name, { value }] of Object.entries(result.headers)) {
    if (name !== name.toLowerCase()) throw new Error(`the header ${name} is not in lower case`);
    if (disallowed.test(name)) throw new Error(`the header ${name} is not allowed`);
    if (typeof value !== 'string') throw new Error(`the header ${name} has no string for a value`);
  }
  for (const name of readOnly) {
    if (result.headers[name]?.value !== before[name]) throw new Error(`the header ${name} is read-only`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, event, store } = JSON.parse(line);
  const before = Object.fromEntries(Object.entries(event.request.headers).map(([k, v]) => [k, v.value]));
  const state = { store, origin: null };
  requests.run(state, async () => {
    let answer;
    try {
      const result = await handler(event);
      check(before, result);
      answer = { id, result, origin: state.origin };
    } catch (e) {
      answer = { id, error: String(e?.stack ?? e) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  });
}

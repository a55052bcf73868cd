// Tests of viewer-request.js; script_test.go lays it out as function.mjs beside this
// file, with a module "cloudfront" that hands over to globalThis.__cloudfront.
import assert from 'node:assert/strict';
import test from 'node:test';

const A = '01jd0000000000000000000000';
const B = '01jd0000000000000000000001';
const GONE = '01jd0000000000000000000009';

const routes = [
  ['/api/*', 'api'], ['/_next/image*', 'imageOptimizer'], ['/favicon.ico', ''], ['/img/*', ''],
  ['/a?c/exact', 'api'], ['/one*two*three', 'api'],
];
const hosts = { default: 'own.on.aws', api: 'own-api.on.aws', imageOptimizer: 'own-image.on.aws' };

const whole = {
  live: JSON.stringify({ r: 7, d: A }),
  'hosts/0': '1:' + JSON.stringify({ api: 'live-api.on.aws' }),
  ['d/' + A + '/0']: '1:' + JSON.stringify({ b: '', r: routes, h: hosts }),
};
const text = JSON.stringify({ b: '/docs', r: [['/docs/api/*', 'api'], ['/docs/favicon.ico', '']], h: hosts });
whole['d/' + B + '/0'] = '3:' + text.slice(0, 40);
whole['d/' + B + '/1'] = text.slice(40, 80);
whole['d/' + B + '/2'] = text.slice(80);

let store, origin;
globalThis.__cloudfront = {
  kvs: () => ({
    async get(key) {
      if (!Object.hasOwn(store, key)) throw new Error('KeyNotFound');
      return store[key];
    },
  }),
  selectRequestOriginById(id) { origin = id; },
  updateRequestOrigin(changes) { origin = changes; },
};
const { handler } = await import('./function.mjs');

const wrap = (plain) => Object.fromEntries(Object.entries(plain).map(([k, value]) => [k, { value }]));

async function send(uri, { method = 'GET', headers = {}, cookies = {}, query = {}, keys = whole, viewer = '203.0.113.7' } = {}) {
  store = keys;
  origin = null;
  const result = await handler({
    context: { requestId: 'request-1', distributionId: 'E1' },
    viewer: { ip: viewer },
    request: {
      method, uri, headers: wrap({ host: 'd1.cloudfront.net', ...headers }), cookies: wrap(cookies), querystring: wrap(query),
    },
  });
  return { result, origin };
}

const header = (result, name) => result.headers[name]?.value;

test('paths lead to origins', async (t) => {
  const to = (name) => ({ domainName: name });
  const preview = { __anchor_deployment: A };
  const docs = { __anchor_deployment: B };
  const cases = [
    ['/', {}, 'server'],
    ['/page', {}, 'server'],
    ['/favicon.ico', {}, 'public', `/deployments/${A}/favicon.ico`],
    ['/favicon.ico', { method: 'HEAD' }, 'public', `/deployments/${A}/favicon.ico`],
    ['/favicon.ico', { method: 'POST' }, 'server'],
    ['/img/a/b%20c+d.png', {}, 'public', `/deployments/${A}/img/a/b%20c%2Bd.png`],
    ['/img/%C3%A4.png', {}, 'public', `/deployments/${A}/img/%C3%A4.png`],
    ['/image', {}, 'server'],
    ['/favicon.ico/more', {}, 'server'],
    ['//favicon.ico', {}, 'server'],
    ['/%66avicon.ico', {}, 'public', `/deployments/${A}/favicon.ico`],
    ['/_next/static/x.js', {}, 'hashed', '/_next/static/x.js'],
    ['/_next/image', {}, 'image'],
    ['/api/x', {}, to('live-api.on.aws')],
    ['/api/x', { method: 'POST' }, to('live-api.on.aws')],
    ['/abc/exact', {}, to('live-api.on.aws')],
    ['/abbc/exact', {}, 'server'],
    ['/one-two-two-three', {}, to('live-api.on.aws')],
    ['/one-two-three-four', {}, 'server'],
    ['/page', { cookies: preview }, to('own.on.aws')],
    ['/api/x', { cookies: preview }, to('own-api.on.aws')],
    ['/_next/image', { cookies: preview }, to('own-image.on.aws')],
    ['/docs/api/x', { cookies: docs }, to('own-api.on.aws')],
    ['/docs/favicon.ico', { cookies: docs }, 'public', `/deployments/${B}/docs/favicon.ico`],
    ['/docs/_next/static/x.js', { cookies: docs }, 'hashed', '/docs/_next/static/x.js'],
    ['/_next/static/x.js', { cookies: docs }, to('own.on.aws')],
    ['/favicon.ico', { cookies: docs }, to('own.on.aws')],
    ['/docs', { headers: { host: `${B}--shop.example.com` } }, to('own.on.aws')],
    ['/docs', { headers: { host: `${B}--shop.example.com`.toUpperCase() } }, to('own.on.aws')],
  ];
  for (const [uri, options, want, path = uri] of cases) {
    await t.test(`${options.method ?? 'GET'} ${uri} ${JSON.stringify(options.cookies ?? options.headers ?? {})}`, async () => {
      const got = await send(uri, options);
      assert.deepEqual(got.origin, want);
      assert.equal(got.result.uri, path);
    });
  }
});

test('the key tells deployments, hosts and previews apart', async () => {
  const { result } = await send('/page', { headers: { 'x-forwarded-host': 'evil.example', 'x-anchor-deployment': B, 'x-anchor-variant': 'preview' } });
  assert.equal(header(result, 'x-forwarded-host'), 'd1.cloudfront.net');
  assert.equal(header(result, 'x-anchor-deployment'), A);
  assert.equal(header(result, 'x-anchor-variant'), 'live');
  const preview = (await send('/page', { cookies: { __anchor_deployment: A, other: '1' } })).result;
  assert.equal(header(preview, 'x-anchor-variant'), 'preview');
  assert.deepEqual(preview.cookies, { other: { value: '1' } });
});

test('draft mode and revalidation are never answered from the cache', async () => {
  for (const options of [{ cookies: { __prerender_bypass: 'x' } }, { headers: { 'x-prerender-revalidate': 'x', 'x-isr': '1' } }]) {
    const { result } = await send('/page', options);
    assert.equal(header(result, 'x-anchor-variant'), 'request-1');
  }
  const { result } = await send('/favicon.ico', { cookies: { __prerender_bypass: 'x' } });
  assert.equal(header(result, 'x-anchor-variant'), 'live');
});

test('a function learns which distribution it invalidates, not from outside', async () => {
  for (const options of [{}, { cookies: { __anchor_deployment: A } }, { headers: { 'x-prerender-revalidate': 'x' } }]) {
    const { result } = await send('/page', { ...options, headers: { ...options.headers, 'x-anchor-distribution': 'E666' } });
    assert.equal(header(result, 'x-anchor-distribution'), 'E1');
  }
  const { result } = await send('/favicon.ico', { headers: { 'x-anchor-distribution': 'E666' } });
  assert.equal(header(result, 'x-anchor-distribution'), undefined);
});

test('functions with middleware learn each other\'s hosts, not from outside', async () => {
  const evil = { headers: { 'x-anchor-hosts': '{"api":"evil.example"}', 'x-anchor-routed': '1' } };
  const keys = { ...whole, [`d/${A}/0`]: '1:' + JSON.stringify({ b: '', r: routes, h: hosts, m: true }) };
  for (const uri of ['/page', '/api/x']) {
    const told = (await send(uri, { ...evil, keys })).result;
    assert.deepEqual(JSON.parse(header(told, 'x-anchor-hosts')), hosts);
    const untold = (await send(uri, evil)).result;
    for (const result of [told, untold]) assert.equal(header(result, 'x-anchor-routed'), undefined);
    assert.equal(header(untold, 'x-anchor-hosts'), undefined);
  }
  assert.equal(header((await send('/favicon.ico', { ...evil, keys })).result, 'x-anchor-hosts'), undefined);
});

test('what OpenNext trusts does not come from outside', async () => {
  const bad = {
    'x-open-next-city': 'x', 'x-opennext-initial-url': 'x', 'x-vercel-ip-city': 'x', 'x-middleware-subrequest': 'x', 'x-invoke-path': 'x',
    'x-anchor-origin': 'x', 'x-now-route-matches': 'x', 'x-matched-path': 'x', 'x-next-resume-state-length': '1',
    'next-resume': '1', forwarded: 'host=evil', 'x-original-url': '/x', 'x-rewrite-url': '/x',
  };
  const good = { 'x-isr': '1', 'x-prerender-revalidate': 'id', 'x-middleware-prefetch': '1', 'x-nextjs-data': '1', authorization: 'b', rsc: '1', accept: '*/*' };
  const { result } = await send('/page', { headers: { ...bad, ...good } });
  for (const name in bad) assert.ok(!(name in result.headers), name);
  for (const name in good) assert.equal(header(result, name), good[name]);
});

test('a file is asked for without query, cookies and what a bucket would obey', async () => {
  const { result } = await send('/favicon.ico', {
    query: { 'response-content-type': 'text/html', acl: '' }, cookies: { session: 'x' },
    headers: { authorization: 'x', accept: '*/*', 'x-amz-server-side-encryption-customer-key': 'x', 'if-none-match': '"e"', range: 'bytes=0-1' },
  });
  assert.deepEqual(result.querystring, {});
  assert.deepEqual(result.cookies, {});
  assert.deepEqual(Object.keys(result.headers).sort(),
    ['host', 'if-none-match', 'range', 'x-anchor-deployment', 'x-anchor-variant', 'x-forwarded-host']);
});

test('paths are normalized before anything looks at them', async (t) => {
  for (const [uri, want] of [
    ['/admin/.', '/admin/'], ['/./admin', '/admin'], ['/admin/%2e', '/admin/'], ['/%2E/admin', '/admin'], ['/x/../admin', '/admin'],
    ['/x/%2e%2E/admin', '/admin'], ['/admin/.%2e/admin', '/admin'], ['/..', '/'], ['/../../admin', '/admin'], ['/x//../admin', '/x/admin'],
    ['/x\\..\\admin', '/admin'], ['/\\admin', '//admin'], ['//admin', '//admin'], ['/a%2Fb', '/a%2Fb'], ['/a%5cb', '/a%5cb'],
    ['/admin;/x', '/admin;/x'], ['/...', '/...'], ['/.well-known/x', '/.well-known/x'], ['/ADMIN', '/ADMIN'], ['/v1.2', '/v1.2'],
  ]) {
    await t.test(uri, async () => {
      const { result, origin } = await send(uri);
      assert.equal(result.uri, want);
      assert.equal(origin, 'server');
    });
  }
  assert.equal((await send('/x/../img/%2e/a.png')).result.uri, `/deployments/${A}/img/a.png`);
  assert.deepEqual((await send('/img/../api/x')).origin, { domainName: 'live-api.on.aws' });
});

test('hostile paths are refused', async (t) => {
  for (const uri of ['/img/..%2fx', '/x/%2e%2e%2fadmin', '/admin%2f..', '/img/..%5cx', '/img/%00.png', '/%', '/%ff', '/%c3%28']) {
    await t.test(uri, async () => {
      const { result, origin } = await send(uri);
      assert.equal(result.statusCode, 400);
      assert.equal(origin, null);
    });
  }
  for (const uri of ['/img/a..b.png', '/img/...', '/[...slug]']) {
    await t.test(uri, async () => assert.equal((await send(uri)).result.statusCode, undefined));
  }
  const twice = await send('/img/%252e%252e/x');
  assert.equal(twice.result.uri, `/deployments/${A}/img/%252e%252e/x`);
});

test('a cookie that names no deployment is of no account', async (t) => {
  for (const value of [GONE, '', 'live', '../' + A, A + A, A.toUpperCase(), A + '\n', 'x'.repeat(100_000)]) {
    await t.test(value.slice(0, 40), async () => {
      const { result, origin } = await send('/page', { cookies: { __anchor_deployment: value } });
      assert.equal(origin, 'server');
      assert.equal(header(result, 'x-anchor-deployment'), A);
    });
  }
});

test('a host that names a deployment which is gone has nothing', async () => {
  const { result } = await send('/', { headers: { host: `${GONE}--shop.example.com` } });
  assert.equal(result.statusCode, 404);
});

test('the preview path sets and clears the cookie', async () => {
  const on = (await send('/__anchor/preview/' + B)).result;
  assert.equal(on.statusCode, 302);
  assert.equal(header(on, 'location'), '/docs/');
  assert.equal(on.cookies.__anchor_deployment.value, B);
  assert.match(on.cookies.__anchor_deployment.attributes, /HttpOnly/);
  assert.equal(header((await send('/__anchor/preview/' + A)).result, 'location'), '/');
  const off = (await send('/__anchor/preview/off')).result;
  assert.equal(off.statusCode, 302);
  assert.match(off.cookies.__anchor_deployment.attributes, /Max-Age=0/);
  for (const what of [GONE, '', 'https://evil.example', '//evil.example']) {
    assert.equal((await send('/__anchor/preview/' + what)).result.statusCode, 404);
  }
});

test('without a release, or with a store that fails, it asks to try again', async () => {
  for (const keys of [{}, { live: 'not json' }]) {
    const { result } = await send('/', { keys });
    assert.equal(result.statusCode, 503);
    assert.equal(header(result, 'cache-control'), 'no-store');
  }
});

test('a live deployment whose routes have not arrived is served by its function', async () => {
  for (const record of [undefined, '1:{', '2:{}']) {
    const keys = { live: whole.live };
    if (record) keys[`d/${A}/0`] = record;
    assert.equal((await send('/favicon.ico', { keys })).origin, 'server');
  }
});

test('a function without a host is not guessed', async () => {
  const keys = { ...whole };
  delete keys['hosts/0'];
  assert.equal((await send('/api/x', { keys })).result.statusCode, 503);
});

test('patterns take no more time than their length times the path\'s', async () => {
  const keys = { ...whole, [`d/${A}/0`]: '1:' + JSON.stringify({ b: '', r: [['/' + '*a'.repeat(20) + 'b', 'api']], h: hosts }) };
  assert.equal((await send('/' + 'a'.repeat(2000), { keys })).origin, 'server');
});

test('a tab uses the deployment that it loaded', async (t) => {
  const soon = Math.floor(Date.now() / 1000) + 60;
  const tabs = (r, ...list) => ({ 'tabs/0': '1:' + JSON.stringify({ r, t: list }) });
  const of = (extra, live = { r: 7, d: A }) => ({
    ...whole, live: JSON.stringify(live),
    ['d/' + A + '/0']: '1:' + JSON.stringify({ b: '', r: routes, h: hosts, s: 'of-a' }), ...extra,
  });
  const b = of(tabs(7, ['of-a', A, 0], ['of-b', B, soon], ['of-gone', GONE, soon]));
  const field = { 'x-deployment-id': 'of-b' };
  const cases = [
    ['the router', b, '/about', { headers: field }, B],
    ['an action', b, '/about', { method: 'POST', headers: { ...field, 'sec-fetch-dest': 'empty' } }, B],
    ['an image', b, '/_next/image', { query: { url: '/a.png', dpl: 'of-b' } }, B],
    ['a chunk below a base path', b, '/docs/_next/static/a.js', { query: { dpl: 'of-b' } }, B],
    ['a fetch of the app', b, '/api/x', { query: { dpl: 'of-b' }, headers: { 'sec-fetch-dest': 'empty' } }, B],
    ['the record of before the switch', of(tabs(6, ['of-b', B, 0])), '/about', { headers: field }, B],

    ['a page', b, '/about', { headers: { ...field, 'sec-fetch-dest': 'document' } }, A],
    ['a frame', b, '/about', { headers: { ...field, 'sec-fetch-dest': 'iframe' } }, A],
    ['a page with an id in its URL', b, '/about', { query: { dpl: 'of-b' } }, A],
    ['an unknown id', b, '/about', { headers: { 'x-deployment-id': 'of-c' } }, A],
    ['a deployment that is not kept', b, '/about', { headers: { 'x-deployment-id': 'of-gone' } }, A],
    ['the live id', b, '/about', { headers: { 'x-deployment-id': 'of-a' } }, A],
    ['no record', of({}), '/about', { headers: field }, A],
    ['a name of every object', b, '/about', { headers: { 'x-deployment-id': '__proto__' } }, A],
    ['an expired id', of(tabs(7, ['of-b', B, soon - 61])), '/about', { headers: field }, A],
    ['a record of two switches before', of(tabs(5, ['of-b', B, soon])), '/about', { headers: field }, A],
    ['a forced reload', of(tabs(6, ['of-b', B, 0]), { r: 7, d: A, f: true }), '/about', { headers: field }, A],
    ['what is written after a forced reload', of(tabs(7, ['of-b', B, soon]), { r: 7, d: A, f: true }), '/about', { headers: field }, B],
  ];
  for (const [what, keys, uri, options, want] of cases) {
    await t.test(what, async () => {
      const { result, origin } = await send(uri, { ...options, keys });
      assert.equal(header(result, 'x-anchor-deployment') ?? want, want);
      if (want === B && origin !== 'hashed') {
        assert.equal(header(result, 'x-anchor-variant'), 'preview');
        assert.match(origin.domainName, /^own/);
      }
    });
  }
  await t.test("a deployment's own URL and a preview stay what they are", async () => {
    const own = await send('/about', { keys: b, headers: { host: `${A}--shop.example.com`, ...field } });
    assert.equal(header(own.result, 'x-anchor-deployment'), A);
    const preview = await send('/about', { keys: b, headers: field, cookies: { __anchor_deployment: A } });
    assert.equal(header(preview.result, 'x-anchor-deployment'), A);
  });
});

test('a page of another deployment finds its own files', async () => {
  const docs = { b: '', r: [['/new.png', ''], ['/gone.png', 'api']], h: hosts };
  const keys = { ...whole, ['d/' + B + '/0']: '1:' + JSON.stringify(docs) };
  const cookie = (value) => ({ cookies: { __anchor_page: value, theirs: '1' }, keys });
  const { result, origin } = await send('/new.png', cookie(`${B}.${A}`));
  assert.equal(origin, 'public');
  assert.equal(result.uri, `/deployments/${B}/new.png`);
  assert.equal(header(result, 'x-anchor-deployment'), B);
  assert.equal((await send('/new.png', { keys })).origin, 'server');

  // What is not a file of the page's deployment goes to functions, which an alias chooses.
  const gone = await send('/favicon.ico', cookie(`${B}.${A}`));
  assert.equal(gone.origin, 'server');
  assert.equal(header(gone.result, 'x-anchor-deployment'), A);
  assert.deepEqual(Object.keys(gone.result.cookies), ['theirs']);
  assert.deepEqual((await send('/api/x', cookie(`${B}.${A}`))).origin, { domainName: 'live-api.on.aws' });

  // It counts only while this edge believes what the page's edge believed, and only in live traffic.
  for (const value of [`${B}.${GONE}`, `${GONE}.${A}`, B, `${B}.`, `.${A}`, `x.${A}`, '']) {
    const { result } = await send('/favicon.ico', cookie(value));
    assert.equal(result.uri, `/deployments/${A}/favicon.ico`, value);
  }
  const preview = await send('/favicon.ico', { ...cookie(`${B}.${A}`), cookies: { __anchor_page: `${B}.${A}`, __anchor_deployment: A } });
  assert.equal(preview.result.uri, `/deployments/${A}/favicon.ico`);
});

test("a deployment's own files are in the folder of its project, if it has one", async () => {
  const docs = { b: '', r: [['/new.png', '']], h: hosts, p: 'project' };
  const keys = { ...whole, ['d/' + B + '/0']: '1:' + JSON.stringify(docs) };
  const { result } = await send('/new.png', { keys, cookies: { __anchor_deployment: B } });
  assert.equal(result.uri, `/deployments/project/${B}/new.png`);
  const former = await send('/favicon.ico', { keys });
  assert.equal(former.result.uri, `/deployments/${A}/favicon.ico`);
});

test('a split divides the traffic', async (t) => {
  const record = (skew, base = '') => '1:' + JSON.stringify({ b: base, r: routes, h: hosts, s: skew });
  const of = (live, a = 'of-a', b = 'of-b') => ({
    live: JSON.stringify({ r: 7, d: A, ...live }), 'hosts/0': whole['hosts/0'],
    ['d/' + A + '/0']: record(a), ['d/' + B + '/0']: record(b),
  });
  const shares = async (keys, options = () => ({})) => {
    const got = { [A]: 0, [B]: 0 };
    for (let i = 0; i < 2000; i++) {
      const { result, origin } = await send('/about', { ...options(i), keys });
      const id = header(result, 'x-anchor-deployment');
      assert.equal(header(result, 'x-anchor-variant'), id === A ? 'live' : 'preview'); // keeps CloudFront's copies apart
      assert.ok(id === A ? origin === 'server' : origin.domainName === 'own.on.aws');
      got[id]++;
    }
    return got[B] / 2000;
  };
  const near = (share, want) => assert.ok(Math.abs(share - want) < 0.08, `${share}, want ${want}`);
  await t.test('by request', async () => near(await shares(of({ c: B, w: 30 })), 0.3));
  await t.test('by address', async () => {
    const viewer = (i) => ({ viewer: `203.0.${i >> 8}.${i & 255}` });
    near(await shares(of({ c: B, w: 30, s: true }), viewer), 0.3);
    for (let i = 0; i < 300; i++) {
      const ask = async (w) => {
        const { result } = await send('/about', { ...viewer(i), keys: of({ c: B, w, s: true }) });
        return header(result, 'x-anchor-deployment');
      };
      const first = await ask(30);
      assert.equal(await ask(30), first);
      assert.ok(first === A || await ask(60) === B, 'an address is moved back as the weight rises');
    }
  });
  await t.test('what a page requests is of its version', async () => {
    for (const [id, want] of [['of-a', A], ['of-b', B]]) {
      const share = await shares(of({ c: B, w: 50 }), () => ({ headers: { 'x-deployment-id': id } }));
      assert.equal(share, want === B ? 1 : 0);
    }
  });
  await t.test('builds that share an id, or have none', async () => {
    for (const id of ['of-a', null]) {
      near(await shares(of({ c: B, w: 50 }, id, id), () => ({ headers: { 'x-deployment-id': 'of-a' } })), 0.5);
    }
  });
  await t.test('a candidate that is gone', async () => {
    assert.equal(await shares(of({ c: GONE, w: 99 })), 0);
  });
});

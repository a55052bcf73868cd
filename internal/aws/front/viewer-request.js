import cf from 'cloudfront';

// The viewer-request function of a project's distribution: which deployment
// answers, from which origin, under which cache key. At most 10 KB for the runtime
// cloudfront-js-2.0, which is njs: "await" may stand neither in arguments nor in
// literals. The store's keys are written by the package this file lies in.

var kvs = cf.kvs();

var ID = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;
var COOKIE = '__anchor_deployment';
var PAGE = '__anchor_page';
var PREVIEW = '/__anchor/preview/';

// What OpenNext and Next.js trust from a proxy in front of them. x-isr and
// x-prerender-revalidate pass: the revalidation function comes this way too.
var STRIPPED = ['x-open-next-', 'x-opennext-', 'x-vercel-ip-', 'x-middleware-', 'x-invoke-',
  'x-anchor-'];
var DROPPED = ['x-now-route-matches', 'x-matched-path', 'x-next-resume-state-length', 'next-resume',
  'forwarded', 'x-original-url', 'x-rewrite-url'];
// What a file has no use for, so that it is cached once.
var FILELESS = ['accept', 'authorization', 'rsc', 'next-url', 'next-router-prefetch',
  'next-router-state-tree', 'next-router-segment-prefetch'];

function answer(status, text, headers) {
  var all = { 'cache-control': { value: 'no-store' } };
  for (var name in headers) {
    all[name] = { value: headers[name] };
  }
  return { statusCode: status, statusDescription: text, headers: all };
}

// Returns the path as a browser would send it, so that the app's rules compare one spelling
// (https://url.spec.whatwg.org/#path-state).
function normalize(uri) {
  if (!/[.\\]|%2e/i.test(uri)) {
    return uri;
  }
  var parts = uri.replace(/\\/g, '/').slice(1).split('/');
  var kept = [];
  for (var i = 0; i < parts.length; i++) {
    var dots = parts[i].replace(/%2e/gi, '.');
    if (dots !== '.' && dots !== '..') {
      kept.push(parts[i]);
      continue;
    }
    if (dots === '..') {
      kept.pop();
    }
    if (i === parts.length - 1) {
      kept.push('');
    }
  }
  return '/' + kept.join('/');
}

// Returns the percent-decoded path, or null for what no client sends by accident.
function decode(uri) {
  var path;
  try {
    path = decodeURIComponent(uri);
  } catch (e) {
    return null;
  }
  if (path.indexOf('\u0000') >= 0 || /(^|[\/\\])\.\.([\/\\]|$)/.test(path)) {
    return null;
  }
  return path;
}

function encode(path) {
  var parts = path.split('/');
  for (var i = 0; i < parts.length; i++) {
    parts[i] = encodeURIComponent(parts[i]);
  }
  return parts.join('/');
}

// A record is JSON in pieces: key/0 begins with their number.
async function record(key) {
  try {
    var first = await kvs.get(key + '/0');
    var colon = first.indexOf(':');
    var more = [];
    for (var i = 1; i < Number(first.slice(0, colon)); i++) {
      more.push(kvs.get(key + '/' + i));
    }
    var rest = await Promise.all(more);
    return JSON.parse(first.slice(colon + 1) + rest.join(''));
  } catch (e) {
    return null;
  }
}

// The id of the build that a tab loaded, or ''. Pages are the live one's.
function loaded(request) {
  var query = request.querystring.dpl;
  var header = request.headers['x-deployment-id'];
  var dest = request.headers['sec-fetch-dest'];
  if (query && request.uri.indexOf('/_next/') >= 0) {
    return query.value;
  }
  if (dest && /^(document|(i|fenced)?frame|embed|object)$/.test(dest.value)) {
    return '';
  }
  return header ? header.value : query && dest ? query.value : '';
}

// The earlier deployment that a tab may use (tabs.go), or null.
async function older(live, tab) {
  var tabs = await record('tabs');
  if (!tabs || tabs.r < (live.f ? live.r : live.r - 1)) {
    return null;
  }
  for (var i = 0; i < tabs.t.length; i++) {
    var t = tabs.t[i];
    if (t[0] === tab && (!t[2] || t[2] * 1000 > Date.now())) {
      var found = await record('d/' + t[1]);
      return found && { id: t[1], record: found };
    }
  }
  return null;
}

// A visitor's lot among 100: the same for each request from an address, or one for each request.
function draw(live, address) {
  if (!live.s) {
    return Math.random() * 100;
  }
  var text = address + '/lot'; // what follows an address mixes its last digits
  var h = 1;
  for (var i = 0; i < text.length; i++) {
    h = ((h ^ text.charCodeAt(i)) * 16807) % 2147483647;
  }
  return h / 21474836.47;
}

// The deployment that has a share of the traffic (switch.go), or null for the live one. What a page
// requests is of the page's version.
function shares(live, found, other, tab, address) {
  if (!other) {
    return null;
  }
  var candidate = { id: live.c, record: other };
  if (tab && found && found.s !== other.s) {
    if (tab === other.s) {
      return candidate;
    }
    if (tab === found.s) {
      return null;
    }
  }
  return draw(live, address) < live.w ? candidate : null;
}

// The deployment that a request asks for by host or cookie or from a tab, else the live one or the
// one that has a share.
async function choose(request, address) {
  var label = request.headers.host.value.toLowerCase().split('.')[0];
  var asked = label.slice(0, 26);
  var found = null;
  if (label.slice(26, 28) === '--' && ID.test(asked)) {
    found = await record('d/' + asked);
    return { id: asked, record: found };
  }
  var cookie = request.cookies[COOKIE];
  if (cookie && ID.test(cookie.value)) {
    found = await record('d/' + cookie.value);
    if (found) {
      return { id: cookie.value, record: found };
    }
  }
  try {
    var text = await kvs.get('live');
    var live = JSON.parse(text);
    found = await record('d/' + live.d);
    var tab = loaded(request);
    var other = null;
    if (live.c) {
      other = await record('d/' + live.c);
    }
    if (tab && found && found.s !== tab && (!other || other.s !== tab)) {
      var old = await older(live, tab);
      if (old) {
        return old;
      }
    }
    var share = shares(live, found, other, tab, address);
    if (share) {
      return share;
    }
    return { id: live.d, live: true, record: found || { b: '', r: [], h: {} } };
  } catch (e) {
    return null;
  }
}

async function preview(what) {
  if (what === 'off') {
    var off = answer(302, 'Found', { location: '/' });
    off.cookies = {};
    off.cookies[COOKIE] = { value: '', attributes: 'Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax' };
    return off;
  }
  var found = null;
  if (ID.test(what)) {
    found = await record('d/' + what);
  }
  if (!found) {
    return answer(404, 'Not Found');
  }
  var on = answer(302, 'Found', { location: found.b + '/' });
  on.cookies = {};
  on.cookies[COOKIE] = { value: what, attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax' };
  return on;
}

// The deployment whose page the browser shows: the function answered before this edge knew what is
// live, and named itself and what the edge believed (halfway.mjs).
async function shown(request, chosen) {
  var cookie = request.cookies[PAGE];
  delete request.cookies[PAGE];
  var ids = cookie && chosen.live ? cookie.value.split('.') : [];
  if (ids[1] !== chosen.id || !ID.test(ids[0])) {
    return chosen;
  }
  var found = await record('d/' + ids[0]);
  return found ? { id: ids[0], record: found } : chosen;
}

// Matches a CloudFront path pattern. Most are a path, or a folder with "/*": these
// are compared whole, because a function has but a fraction of a millisecond. The
// rest backs up to the last "*" only.
function matches(pattern, path) {
  var wild = pattern.indexOf('*');
  if (pattern.indexOf('?') < 0 && wild < 0) {
    return pattern === path;
  }
  if (pattern.indexOf('?') < 0 && wild === pattern.length - 1) {
    return path.startsWith(pattern.slice(0, wild));
  }
  var p = 0, s = 0, star = -1, mark = 0;
  while (s < path.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      mark = s;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === path[s])) {
      p++;
      s++;
    } else if (star >= 0) {
      p = star + 1;
      s = ++mark;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') {
    p++;
  }
  return p === pattern.length;
}

// Returns the name of a function, or "" for a file. The first matching route counts.
function resolve(found, method, path) {
  var name = 'default';
  for (var i = 0; i < found.r.length; i++) {
    if (matches(found.r[i][0], path)) {
      name = found.r[i][1];
      break;
    }
  }
  if (i === found.r.length && hashed(found, path)) {
    name = '';
  }
  return name === '' && method !== 'GET' && method !== 'HEAD' ? 'default' : name;
}

function hashed(found, path) {
  return path.indexOf(found.b + '/_next/static/') === 0;
}

function clean(request) {
  var headers = request.headers;
  for (var name in headers) {
    var drop = DROPPED.indexOf(name) >= 0;
    for (var i = 0; i < STRIPPED.length; i++) {
      drop = drop || (name.indexOf(STRIPPED[i]) === 0 && name !== 'x-middleware-prefetch');
    }
    if (drop) {
      delete headers[name];
    }
  }
}

// The query goes: S3 would take response-content-type and the like from it.
function toFile(request, chosen, path) {
  var headers = request.headers;
  for (var name in headers) {
    if (FILELESS.indexOf(name) >= 0 || name.indexOf('x-amz-') === 0) {
      delete headers[name];
    }
  }
  request.querystring = {};
  request.cookies = {};
  if (hashed(chosen.record, path)) {
    cf.selectRequestOriginById('hashed');
    request.uri = encode(path);
  } else {
    cf.selectRequestOriginById('public');
    // Deployments of before there was a folder for each project have none.
    request.uri = '/deployments/' + (chosen.record.p ? chosen.record.p + '/' : '') + chosen.id + encode(path);
  }
}

async function toFunction(chosen, name) {
  if (chosen.live && name === 'default') {
    cf.selectRequestOriginById('server');
    return true;
  }
  if (chosen.live && name === 'imageOptimizer') {
    cf.selectRequestOriginById('image');
    return true;
  }
  var hosts = chosen.record.h;
  if (chosen.live) {
    hosts = await record('hosts');
  }
  if (!hosts || !hosts[name]) {
    return false;
  }
  // Everything else, such as the origin's secret, stays as the distribution sets it.
  cf.updateRequestOrigin({ domainName: hosts[name] });
  return true;
}

async function handler(event) {
  var request = event.request;
  request.uri = normalize(request.uri);
  var path = decode(request.uri);
  if (path === null) {
    return answer(400, 'Bad Request');
  }
  if (path.indexOf(PREVIEW) === 0) {
    var redirect = await preview(path.slice(PREVIEW.length));
    return redirect;
  }
  var chosen = await choose(request, event.viewer.ip);
  if (!chosen) {
    return answer(503, 'Service Unavailable', { 'retry-after': '5' });
  }
  if (!chosen.record) {
    return answer(404, 'Not Found');
  }
  clean(request);
  // A unique part of the cache key: only the app answers such a request.
  var alone = request.cookies.__prerender_bypass || request.headers['x-prerender-revalidate'];
  delete request.cookies[COOKIE];
  request.headers['x-forwarded-host'] = { value: request.headers.host.value };
  request.headers['x-anchor-deployment'] = { value: chosen.id };
  // While an alias moves, answers of two deployments may share the live key. A deployment's own
  // URL must not show them.
  request.headers['x-anchor-variant'] = { value: chosen.live ? 'live' : 'preview' };
  var name = resolve(chosen.record, request.method, path);
  var page = await shown(request, chosen);
  if (resolve(page.record, request.method, path) === '') {
    request.headers['x-anchor-deployment'].value = page.id;
    toFile(request, page, path);
    return request;
  }
  name = name || 'default';
  if (alone) {
    request.headers['x-anchor-variant'].value = event.context.requestId;
  }
  // Where the function invalidates what it revalidates. No part of the cache key.
  request.headers['x-anchor-distribution'] = { value: event.context.distributionId };
  // Its middleware may send requests to another function of the deployment.
  if (chosen.record.m) {
    request.headers['x-anchor-hosts'] = { value: JSON.stringify(chosen.record.h) };
  }
  var found = await toFunction(chosen, name);
  return found ? request : answer(503, 'Service Unavailable', { 'retry-after': '5' });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handler } from './domains.mjs';

// The event as the Developer Guide has it ("CloudFront Functions event structure").
function request(uri, querystring = {}) {
  return { context: { eventType: 'viewer-request' }, request: { method: 'GET', uri, querystring, headers: {} } };
}

function response(headers = {}) {
  return { context: { eventType: 'viewer-response' }, response: { statusCode: 200, headers } };
}

function tenant(parameters) {
  globalThis.parameters = parameters;
}

test('a redirect keeps path and query', () => {
  tenant({ redirect: 'example.com', hsts: '-' });
  const answer = handler(request('/a%20b/', { q: { value: 'x%26y' }, flag: { value: '' }, l: { value: '1', multiValue: [{ value: '1' }, { value: '2' }] } }));
  assert.equal(answer.statusCode, 308);
  assert.equal(answer.headers.location.value, 'https://example.com/a%20b/?q=x%26y&flag&l=1&l=2');
  assert.equal(answer.headers['strict-transport-security'], undefined);
});

test('a path does not lead to another host', () => {
  tenant({ redirect: 'example.com', hsts: '-' });
  assert.equal(handler(request('//evil.example/')).headers.location.value, 'https://example.com//evil.example/');
});

test('a redirect can have HSTS', () => {
  tenant({ redirect: 'example.com', hsts: 'on' });
  assert.equal(handler(request('/')).headers['strict-transport-security'].value, 'max-age=31536000');
});

test('without a target there is nothing', () => {
  for (const parameters of [{ redirect: '-', hsts: '-' }, {}, null]) {
    tenant(parameters);
    assert.equal(handler(request('/')).statusCode, 404);
  }
});

test('a response gets HSTS when the domain has it, and keeps its own', () => {
  tenant({ redirect: '-', hsts: 'on' });
  assert.equal(handler(response()).headers['strict-transport-security'].value, 'max-age=31536000');
  const own = { 'strict-transport-security': { value: 'max-age=1' } };
  assert.equal(handler(response(own)).headers['strict-transport-security'].value, 'max-age=1');
  for (const parameters of [{ redirect: '-', hsts: '-' }, null]) {
    tenant(parameters);
    assert.deepEqual(handler(response()).headers, {});
  }
});

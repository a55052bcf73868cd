import cf from 'cloudfront';

// Custom domains add two things to what the project's own address has: a name that redirects, and
// HSTS. Both are parameters of the hostname's distribution tenant. For the runtime
// cloudfront-js-2.0.

var YEAR = 'max-age=31536000';

function parameter(name) {
  try {
    return cf.distributionTenant.parameters.get(name);
  } catch (e) {
    return '';
  }
}

// The parts arrive as the client sent them, and are passed on unchanged.
function query(querystring) {
  var parts = [];
  for (var name in querystring) {
    var all = querystring[name].multiValue || [querystring[name]];
    for (var i = 0; i < all.length; i++) {
      parts.push(all[i].value === '' ? name : name + '=' + all[i].value);
    }
  }
  return parts.length ? '?' + parts.join('&') : '';
}

function redirect(request) {
  var to = parameter('redirect');
  if (!to || to === '-') {
    return { statusCode: 404, statusDescription: 'Not Found', headers: {} };
  }
  var response = {
    statusCode: 308,
    statusDescription: 'Permanent Redirect',
    headers: { location: { value: 'https://' + to + request.uri + query(request.querystring) } }
  };
  return secure(response);
}

function secure(response) {
  if (parameter('hsts') === 'on' && !response.headers['strict-transport-security']) {
    response.headers['strict-transport-security'] = { value: YEAR };
  }
  return response;
}

function handler(event) {
  if (event.context.eventType === 'viewer-response') {
    return secure(event.response);
  }
  return redirect(event.request);
}

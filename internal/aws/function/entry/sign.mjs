// Signature Version 4 (IAM User Guide, "Create a signed AWS API request"), as far as our only
// call needs it. The SDK takes a quarter of a second or more to load; this takes none.
import { createHash, createHmac } from "node:crypto";

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

// Returns the headers of a POST to url. The URL's path must need no escapes, and there must be no
// query.
export function sign(url, body, { region, service, key, secret, token, now = new Date() }) {
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const headers = { host: url.host, "x-amz-date": time, ...(token && { "x-amz-security-token": token }) };
  const names = Object.keys(headers).sort();
  const canonical = ["POST", url.pathname, "", ...names.map((n) => `${n}:${headers[n]}`), "", names.join(";"), sha256(body)].join("\n");
  const derived = scope.split("/").reduce((from, part) => hmac(from, part), `AWS4${secret}`);
  const signature = hmac(derived, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  delete headers.host; // fetch sets it
  return { ...headers, authorization: `AWS4-HMAC-SHA256 Credential=${key}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}` };
}

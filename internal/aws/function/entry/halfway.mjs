// A switch moves aliases in one place and a key in CloudFront's store, which spreads to the edges within seconds. Until
// then an edge may send requests for the deployment that it believes to be live to a function that runs another. Such
// an answer must not be cached under the wrong key, and its page needs its own public files: a cookie names them.
const BELIEVED = "x-anchor-deployment"; // set by the viewer-request function, as is
const VARIANT = "x-anchor-variant";
export const COOKIE = "__anchor_page"; // read by it
const ID = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const SEPARATOR = Buffer.alloc(8); // ends the prelude of an answer (Lambda, "Response streaming")
const SECONDS = 30; // several times what CloudFront says that a key takes to spread

// Returns what the edge believes to be live when that is not the deployment of this function, else undefined.
export function believed(headers = {}, own = process.env.ANCHOR_DEPLOYMENT_ID) {
  const { [BELIEVED]: live = "", [VARIANT]: variant } = headers;
  return own && variant === "live" && ID.test(live) && live !== own ? live : undefined;
}

function changed({ headers = {}, cookies = [], ...rest }, own, live) {
  const kept = Object.entries(headers).filter(([name]) => !/^(?:cache-control|expires)$/i.test(name));
  const cookie = `${COOKIE}=${own}.${live}; Path=/; Max-Age=${SECONDS}; Secure; HttpOnly; SameSite=Lax`;
  return { ...rest, headers: { ...Object.fromEntries(kept), "cache-control": "private, no-store" }, cookies: [...cookies, cookie] };
}

// Makes the answer that will be written to stream one that meets a switch half-way. It waits for the prelude, which may
// come in several pieces, and passes everything after it on as it is.
export function mark(stream, live, own = process.env.ANCHOR_DEPLOYMENT_ID) {
  const { write, end } = stream;
  let held = Buffer.alloc(0);
  const release = () => Object.assign(stream, { write, end });
  stream.write = (chunk, encoding, done) => {
    if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
    held = Buffer.concat([held, Buffer.from(chunk, encoding)]);
    const at = held.indexOf(SEPARATOR);
    if (at < 0) {
      if (done) process.nextTick(done);
      return true;
    }
    release();
    const prelude = Buffer.from(JSON.stringify(changed(JSON.parse(held.subarray(0, at)), own, live)));
    return stream.write(Buffer.concat([prelude, held.subarray(at)]), done);
  };
  stream.end = (chunk, encoding, done) => {
    if (typeof chunk === "function") [chunk, done] = [undefined, chunk];
    else if (typeof encoding === "function") [encoding, done] = [undefined, encoding];
    if (chunk !== undefined && chunk !== null) stream.write(chunk, encoding);
    if (stream.end === end || held.length === 0) return release().end(done);
    release();
    stream.write(held); // no prelude: Lambda takes it as it is
    return stream.end(done);
  };
}

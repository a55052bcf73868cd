"use strict";
// Keeps the live part of a page and its logs up to date. Without scripts every page still works; it is
// as old as its load then.

// stream connects an element with the server-sent events of an address while the page is visible: a hidden page
// costs the server nothing, and a browser has six connections for all pages of an HTTP/1.1 server.
function stream(url, handlers) {
  let source = null;
  const open = () => {
    source = new AbortController();
    read(url, handlers, source.signal).catch(() => {
      if (!source || source.signal.aborted) return;
      setTimeout(() => { if (!document.hidden && source) open(); }, 3000);
    });
  };
  const close = () => { if (source) source.abort(); source = null; };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!source && handlers.resume !== false) open();
  });
  addEventListener("pagehide", close);
  if (!document.hidden) open();
}

// read follows one response of events (HTML Living Standard, 9.2.6). EventSource sends no Accept of our choice.
async function read(url, handlers, signal) {
  const answer = await fetch(url, { headers: { Accept: "text/event-stream" }, signal, redirect: "manual" });
  if (!answer.ok) {
    if (answer.type === "opaqueredirect") location.reload(); // the session has ended
    throw new Error(String(answer.status));
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { done, value } = await reader.read();
    if (done) throw new Error("cut off");
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part), data = /^data: (.*)$/m.exec(part);
      if (!name || !data) continue;
      if (name[1] === "end") { handlers.resume = false; if (handlers.end) handlers.end(); return; }
      if (handlers[name[1]]) handlers[name[1]](JSON.parse(data[1]));
    }
  }
}

// replace shows new HTML, rendered and escaped by the server. It changes only what differs, so that a click, the focus and
// what is unfolded outlive an update.
function replace(element, html) {
  const next = document.createElement("template");
  next.innerHTML = html;
  morph(element, next.content);
  localTimes(element);
}

// morph makes the children of an element equal to those of another. Elements with an id or a data-key are the same where
// that is the same; others where they have the same name.
function morph(element, next) {
  let old = element.firstChild;
  for (const wanted of [...next.childNodes]) {
    const kept = same(old, wanted) ? old : keyed(old, wanted);
    if (!kept) {
      element.insertBefore(wanted, old);
      continue;
    }
    while (old !== kept) old = drop(old);
    update(kept, wanted);
    old = kept.nextSibling;
  }
  while (old) old = drop(old);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && (node.id || node.getAttribute("data-key"))) || "";

function same(a, b) {
  return a !== null && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
}

// keyed returns the node after old with the key of wanted.
function keyed(old, wanted) {
  if (keyOf(wanted) === "") return null;
  for (; old; old = old.nextSibling) if (same(old, wanted)) return old;
  return null;
}

function update(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (name !== "open" && !wanted.hasAttribute(name)) node.removeAttribute(name); // open: what the person unfolded
  }
  for (const { name, value } of wanted.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  morph(node, wanted);
}

// localTimes adds the time in the zone of the browser.
function localTimes(within) {
  for (const e of within.querySelectorAll("time[datetime]")) e.title = new Date(e.dateTime).toLocaleString();
}

const live = document.getElementById("live");
if (live && live.dataset.live) {
  let first = true;
  stream(location.href, {
    live: (html) => { if (first && live.innerHTML === html) { first = false; return; } first = false; replace(live, html); },
  });
}

for (const box of document.querySelectorAll("[data-log]")) {
  const list = box.querySelector("ol"), empty = box.querySelector(".empty"), filter = box.querySelector("input"), jump = box.querySelector(".jump");
  const matches = (line) => !filter || line.textContent.toLowerCase().includes(filter.value.toLowerCase());
  let follow = true;
  list.addEventListener("scroll", () => {
    follow = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    if (jump) jump.hidden = follow;
  });
  if (jump) jump.addEventListener("click", () => { list.scrollTop = list.scrollHeight; });
  if (filter) filter.addEventListener("input", () => { for (const line of list.children) line.hidden = !matches(line); });
  stream(box.dataset.log, {
    line: (html) => {
      if (empty) empty.hidden = true;
      list.hidden = false;
      list.insertAdjacentHTML("beforeend", html);
      list.lastElementChild.hidden = !matches(list.lastElementChild);
      while (list.children.length > 2000) list.firstElementChild.remove();
      if (follow) list.scrollTop = list.scrollHeight;
    },
    problem: (text) => { const p = box.querySelector(".problem"); p.textContent = text; p.hidden = false; },
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

localTimes(document);

"use strict";
// Signs in by a passkey, and adds one. Browsers offer passkeys at names over HTTPS and at localhost only.

async function post(url, body) {
  const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body || {}) });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.Message + (read.Hint ? ". " + read.Hint : ""));
  return read;
}

// attempt shows why a ceremony failed. A person who closes the dialog of the browser knows.
async function attempt(box, work) {
  const problem = box.querySelector(".problem");
  problem.hidden = true;
  try {
    location.assign(await work());
  } catch (e) {
    if (e.name === "NotAllowedError" || e.name === "AbortError") return;
    problem.textContent = e.message;
    problem.hidden = false;
  }
}

if (window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON) {
  for (const box of document.querySelectorAll("[data-passkey-sign-in]")) {
    box.hidden = false;
    const url = box.dataset.passkeySignIn;
    box.querySelector("button").addEventListener("click", () => attempt(box, async () => {
      const { id, options } = await post(url + "/begin");
      const found = await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
      return post(url, { id, response: found.toJSON() });
    }));
  }
  for (const box of document.querySelectorAll("[data-passkey-add]")) {
    box.hidden = false;
    const url = box.dataset.passkeyAdd;
    box.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(box, async () => {
        const { id, options } = await post(url + "/begin");
        const made = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) });
        return post(url, { id, name: box.elements.name.value, response: made.toJSON() });
      });
    });
  }
}

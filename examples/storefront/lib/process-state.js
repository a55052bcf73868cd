// What this Node.js process has seen. Kept on globalThis because every route
// is bundled on its own and would otherwise count for itself.
export function processState() {
  globalThis.__storefront ??= { aborts: 0, openStreams: 0, afterIds: new Set() };
  return globalThis.__storefront;
}

module.exports = async () => {
  const [esm, again] = [await import("./esm.mjs"), await import(`./${"esm"}.mjs`)];
  const missing = await import("./missing.mjs").catch((err) => err.code);
  const data = await import("./data.json", { with: { type: "json" } });
  return { word: "first", esm: esm.default, same: esm === again, missing, twin: (await import("twin")).default.kind, data: data.default, nested: await eval("(async () => (await import('./esm.mjs')).default)()") };
};

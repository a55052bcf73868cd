const failure = new Error("here"); exports.early = true;
module.exports = async () => ({
  column: /facts\.cjs:(\d+:\d+)/.exec(failure.stack)[1],
  scope: this === exports,
  args: [typeof require, typeof module, typeof __filename, typeof __dirname],
  file: __filename === module.filename && __dirname === module.path,
  main: require.main === process.mainModule,
  resolved: require.resolve("./word.cjs") === __dirname + "/word.cjs",
  paths: require.resolve.paths("twin")[0] === __dirname + "/node_modules",
  cached: require.cache[__filename] === module,
  extensions: Object.keys(require.extensions),
  children: (require("./word.cjs"), module.children.map((child) => child.id.slice(__dirname.length))),
  json: require("./data.json"),
  missing: attempt(() => require("./missing.cjs")),
  broken: attempt(() => require("./broken.cjs")),
  imported: await require("./dynamic.cjs")(),
  twin: require("twin").kind,
  shebang: require("./shebang.cjs"),
  strict: require("./strict.cjs"),
  comment: require("./comment.cjs"),
});

function attempt(what) {
  try {
    return what();
  } catch (err) {
    return `${err.name} ${err.code ?? ""}`;
  }
}

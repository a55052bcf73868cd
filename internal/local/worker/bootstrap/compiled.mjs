// The bundle's modules as V8 has compiled them, so that a process need not compile them again. Node.js' own
// compile cache holds what is compiled when a module is loaded; the code of CommonJS modules is made after a
// page was rendered and holds the functions that were needed for it as well. Only Node.js can load ES modules
// from compiled code, so theirs are the files of its cache. Anchor stores both and shows them to the
// deployment's processes, which cannot change them.
//
// The format: the SHA-256 of the rest, then for each module the length of its name and that of its
// code (32 bits, little endian), the name, the code, and padding that makes the whole a multiple of 8. The
// name is the module's path, or that of a file in the cache behind "cache/".
import { createHash } from "node:crypto";
import fs from "node:fs";
import Module from "node:module";
import os from "node:os";
import path from "node:path";
import vm from "node:vm";
import { writeAll } from "./log.mjs";

const SUM_SIZE = 32;
const ALIGNMENT = 8; // of what V8 reads without a copy
const BEFORE = "(function (exports, require, module, __filename, __dirname) { ";
const AFTER = "\n});";

const digestOf = (data) => createHash("sha256").update(data).digest();
const align = (size) => Math.ceil(size / ALIGNMENT) * ALIGNMENT;

// Makes modules load from file. One that is missing or damaged is not an error: they are compiled. ownTmp says that no
// other process can write to the folder for temporary files. The function that is returned is called when the bundle
// is loaded.
export function useCompiled(file, ownTmp) {
  const codes = file ? readCodes(file) : undefined;
  if (!codes) return () => {};
  announceLoader();
  wrapCompile((name, source) => {
    const cachedData = codes.get(name);
    return cachedData && toScript(name, source, cachedData);
  });
  return ownTmp ? useCache(codes) : () => {};
}

const CACHE = "cache/";
const CACHE_FILE = /^cache\/[\w.-]*\w\/\w+(\.cache)?$/;

// Lets Node.js load ES modules from the files of its cache.
function useCache(codes) {
  const files = [...codes].filter(([name]) => CACHE_FILE.test(name));
  const dir = files.length > 0 ? openCache() : undefined;
  if (!dir) return () => {};
  for (const [name, code] of files) {
    const file = path.join(dir, name.slice(CACHE.length));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, code);
    codes.delete(name);
  }
  return () => fs.rmSync(dir, { recursive: true, force: true });
}

// Returns the folder of Node.js' compile cache from now on; undefined before Node.js 22.10.
function openCache() {
  if (!Module.flushCompileCache) return undefined;
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "compile-cache-"));
  Module.enableCompileCache(dir);
  return dir;
}

function readCache(dir) {
  Module.flushCompileCache();
  return fs.readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => [CACHE + path.relative(dir, file), fs.readFileSync(file)]);
}

function readCodes(file) {
  let data;
  try {
    data = fs.readFileSync(file);
  } catch {
    return undefined;
  }
  const body = data.subarray(SUM_SIZE);
  if (!digestOf(body).equals(data.subarray(0, SUM_SIZE))) return undefined;
  const codes = new Map();
  for (let at = 0; at < body.length; ) {
    const [nameSize, codeSize] = [body.readUInt32LE(at), body.readUInt32LE(at + 4)];
    const codeAt = at + align(8 + nameSize);
    codes.set(body.toString("utf8", at + 8, at + 8 + nameSize), body.subarray(codeAt, codeAt + codeSize));
    at = codeAt + align(codeSize);
  }
  return codes;
}

// Observes which modules below root are loaded. The function that it returns writes their code to a
// descriptor and closes it.
export function recordCompiled(root, ownTmp) {
  const scripts = [];
  const cache = ownTmp ? openCache() : undefined;
  announceLoader();
  wrapCompile((name, source) => {
    if (!name.startsWith(root + path.sep) || (!LOADER && source.includes("import("))) return undefined;
    const script = toScript(name, source);
    scripts.push([name, script]);
    return script;
  });
  return (fd) => {
    const codes = scripts.map(([name, script]) => [name, script.createCachedData()]);
    if (cache) codes.push(...readCache(cache));
    const body = Buffer.concat(codes.flatMap(([name, code]) => encode(Buffer.from(name), code)));
    writeAll(fd, digestOf(body));
    writeAll(fd, body);
    fs.closeSync(fd);
  };
}

function encode(name, code) {
  const head = Buffer.alloc(align(8 + name.length));
  head.writeUInt32LE(name.length, 0);
  head.writeUInt32LE(code.length, 4);
  name.copy(head, 8);
  return [head, code, Buffer.alloc(align(code.length) - code.length)];
}

// Lets import() in a module mean what it means without the wrapper, relative to the module's file. V8 before that of
// Node.js 22 forgets it in code that another process has compiled: there, modules that contain import() stay with Node.js.
const LOADER = Number.parseInt(process.versions.node) >= 22 ? vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER : undefined;

// Node.js warns once, at the first import() by it, that the loader is experimental. An app's log has no use for that.
function announceLoader() {
  if (!LOADER) return;
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    new vm.Script('import("node:vm")', { importModuleDynamically: LOADER }).runInThisContext();
  } finally {
    process.emitWarning = emitWarning;
  }
}

// The offset keeps the columns of errors in the first line as they are without the wrapper.
const toScript = (filename, source, cachedData) =>
  new vm.Script(BEFORE + source + AFTER, { filename, cachedData, columnOffset: -BEFORE.length, importModuleDynamically: LOADER });

// Lets scriptOf return the script of a CommonJS module; undefined leaves it to Node.js, as does a
// syntax error, which Node.js reports better, or by which it knows an ES module.
function wrapCompile(scriptOf) {
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (source, filename, format, ...rest) {
    const script = mayWrap(source, format) ? tryScript(scriptOf, filename, source) : undefined;
    if (!script) return compile.call(this, source, filename, format, ...rest);
    const run = script.runInThisContext();
    return run.call(this.exports, this.exports, requireOf(this), this, filename, path.dirname(filename));
  };
}

const mayWrap = (source, format) =>
  (format === undefined || format === "commonjs") && !source.startsWith("#!") && !process.sourceMapsEnabled;

function tryScript(scriptOf, filename, source) {
  try {
    return scriptOf(filename, source);
  } catch {
    return undefined;
  }
}

// The require() of a module, as Node.js makes it (lib/internal/modules/helpers.js,
// makeRequireFunction).
function requireOf(module) {
  const require = (id) => module.require(id);
  const resolve = (request, options) => Module._resolveFilename(request, module, false, options);
  resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  return Object.assign(require, { resolve, main: process.mainModule, extensions: Module._extensions, cache: Module._cache });
}

// Writes github.json beside the packages: of the OpenAPI description that GitHub publishes, the routes that
// package forge calls. The whole package has 400 MB, so that one file of its archive is read and the archive
// is removed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const spec = "@octokit/openapi@23.0.2";
const integrity = "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==";
const repository = "/repos/{owner}/{repo}";
const routes = {
  [`${repository}/statuses/{sha}`]: ["post"],
  [`${repository}/deployments`]: ["post"],
  [`${repository}/deployments/{deployment_id}/statuses`]: ["post"],
  [`${repository}/environments/{environment_name}`]: ["delete"],
  [`${repository}/issues/{issue_number}/comments`]: ["get", "post"],
  [`${repository}/issues/comments/{comment_id}`]: ["patch"],
  [`${repository}/hooks`]: ["get", "post"],
  [`${repository}/hooks/{hook_id}`]: ["patch"],
  [`${repository}/keys`]: ["get", "post"],
};

const folder = mkdtempSync(join(tmpdir(), "anchor-openapi-"));
try {
  const [packed] = JSON.parse(execFileSync("npm", ["pack", spec, "--json", "--loglevel", "error"], { cwd: folder, encoding: "utf8" }));
  if (packed.integrity !== integrity) throw new Error(`${spec} has the integrity ${packed.integrity}`);
  execFileSync("tar", ["xzf", packed.filename, "package/generated/api.github.com.json"], { cwd: folder });
  const whole = JSON.parse(readFileSync(join(folder, "package/generated/api.github.com.json"), "utf8"));
  writeFileSync(new URL("node_modules/github.json", import.meta.url), JSON.stringify(cut(whole)));
} finally {
  rmSync(folder, { recursive: true });
}

// cut returns the description of the routes, with the components that they refer to.
function cut(whole) {
  const part = { openapi: whole.openapi, info: whole.info, paths: {}, components: {} };
  for (const [path, methods] of Object.entries(routes)) {
    part.paths[path] = {};
    for (const method of methods) {
      if (!whole.paths[path]?.[method]) throw new Error(`GitHub's description has no ${method} ${path}`);
      part.paths[path][method] = whole.paths[path][method];
    }
  }
  const add = (value) => {
    if (Array.isArray(value)) value.forEach(add);
    else if (value && typeof value === "object") {
      const [, kind, name] = /^#\/components\/([^/]+)\/([^/]+)$/.exec(value.$ref ?? "") ?? [];
      if (name && !part.components[kind]?.[name]) {
        (part.components[kind] ??= {})[name] = whole.components[kind][name];
        add(whole.components[kind][name]);
      }
      Object.values(value).forEach(add);
    }
  };
  add(part.paths);
  return part;
}

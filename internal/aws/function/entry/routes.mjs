// Finds the function of a path, as front/viewer-request.js and the local platform's edge do.

// Matches a CloudFront path pattern. It backs up to the last "*" only: time is the pattern's length times the path's.
export function matches(pattern, path) {
  let p = 0, s = 0, star = -1, mark = 0;
  while (s < path.length) {
    if (pattern[p] === "*") {
      star = p++;
      mark = s;
    } else if (pattern[p] === "?" || pattern[p] === path[s]) {
      p++;
      s++;
    } else if (star >= 0) {
      p = star + 1;
      s = ++mark;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

// Takes [pattern, function ("" for files), whether middleware runs before it] in match order, and
// the last two values for the default. Returns a function that finds {name, guarded} for a path.
export function router({ base, routes, rest }) {
  const all = routes.map(([pattern, name, guarded]) => ({ pattern, name, guarded }));
  const other = { name: rest[0], guarded: rest[1] };
  const hashed = { name: "", guarded: false };
  return (method, rawPath) => {
    const path = decoded(rawPath);
    const found = all.find(({ pattern }) => matches(pattern, path)) ?? (path.startsWith(`${base}/_next/static/`) ? hashed : other);
    return found.name === "" && method !== "GET" && method !== "HEAD" ? other : found;
  };
}

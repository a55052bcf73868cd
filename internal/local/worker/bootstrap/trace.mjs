// From which entries of the incremental cache an answer was made. The edge keeps answers for all
// visitors, and has to know which of them a revalidated tag concerns: OpenNext removes the tags of a
// page that it has from the cache, and the page's address says nothing of its key (rewrites,
// languages, the client router's variants).
import { current } from "./log.mjs";

// The field of an answer that lists them for the edge (edge.HeaderTags). Only this process sets it.
export const TAGS_FIELD = "x-anchor-tags";

const NEXT_FIELD = "x-next-cache-tags";
const MAX_FIELD = 8192;

class Trace {
  tags = new Set();
  complete = true;
}

// Records what a read of the incremental cache returned. The second parameter of get() is the type;
// OpenNext 3 passes whether it is a fetch.
export function noteEntry(key, type, entry) {
  const request = current.getStore()?.request;
  if (!request || !entry?.value) return;
  const trace = (request.trace ??= new Trace());
  const isPage = !type || type === "cache";
  const tags = isPage ? tagsOfPage(entry.value) : tagsOfData(entry.value);
  if (!tags) trace.complete = false;
  for (const tag of tags ?? []) trace.tags.add(`t${tag}`);
  if (isPage) trace.tags.add(`k${key}`);
}

// A page of the pages router has no tags: nothing but its key leads to it.
function tagsOfPage(value) {
  if (value.type === "page") return [];
  const field = value.meta?.headers?.[NEXT_FIELD];
  return typeof field === "string" ? split(field) : undefined;
}

function tagsOfData(value) {
  const tags = value.tags ?? value.data?.tags;
  return Array.isArray(tags) ? tags : undefined;
}

const split = (field) => field.split(",").map((tag) => tag.trim()).filter(Boolean);

// Returns the field's value for an answer, undefined when the edge has to take the answer for one
// that every revalidation concerns.
export function tracedTags(request) {
  const trace = request.trace;
  if (!trace?.complete) return undefined;
  const field = [...trace.tags].map(encodeURIComponent).join(",");
  return field.length > MAX_FIELD ? undefined : field;
}

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
  keys = new Set();
  complete = true; // all tags are known
}

// Records what a read of the incremental cache returned. The second parameter of get() is the type;
// OpenNext 3 passes whether it is a fetch.
export function noteEntry(key, type, entry) {
  const request = current.getStore()?.request;
  if (!request) return;
  const trace = (request.trace ??= new Trace());
  const isPage = !type || type === "cache";
  // The key of a page that is not there yet, too: it is rendered for this answer.
  if (isPage) trace.keys.add(`k${key}`);
  if (!entry?.value) return;
  const tags = isPage ? tagsOfPage(entry.value) : tagsOfData(entry.value);
  if (!tags) trace.complete = false;
  for (const tag of tags ?? []) trace.tags.add(`t${tag}`);
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

// Returns the field's value for an answer: undefined when the edge has to take the answer for one
// that every revalidation concerns. "?" stands for tags that are not known, which the revalidation of any tag concerns.
export function tracedTags(request) {
  const { tags, keys, complete } = request.trace ?? new Trace();
  const listed = (items, more) => [...[...items].map(encodeURIComponent), ...more].join(",");
  const field = listed([...tags, ...keys], complete ? [] : ["?"]);
  if (field.length <= MAX_FIELD) return field;
  const withoutTags = listed(keys, ["?"]);
  return withoutTags.length <= MAX_FIELD ? withoutTags : undefined;
}

// External middleware as OpenNext's aws-cloudfront converter answers: it sends
// visitors of /old away, shows those of /into/… what is below /api, those of /file the
// public file, and lets the others pass. A header counts its runs.
export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.uri === "/old") return { status: "307", headers: { location: [{ key: "location", value: "/new" }] } };
  const runs = `${request.headers["x-runs"]?.[0].value ?? ""}1`;
  const uri = request.uri.replace(/^\/into\//, "/api/").replace(/^\/file$/, "/public.txt");
  return { ...request, uri, headers: { ...request.headers, "x-runs": [{ key: "x-runs", value: runs }] } };
};

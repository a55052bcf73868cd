// External middleware as OpenNext's aws-cloudfront converter answers: it sends
// visitors of /old away and lets the others pass.
export const handler = async (event) => {
  const { request } = event.Records[0].cf;
  if (request.uri === "/old") return { status: "307", headers: { location: [{ key: "location", value: "/new" }] } };
  return request;
};

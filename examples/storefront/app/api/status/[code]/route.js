export const dynamic = 'force-dynamic';

const WITHOUT_BODY = new Set([204, 205, 304]);

export async function GET(_request, { params }) {
  const code = Number((await params).code);
  if (!Number.isInteger(code) || code < 200 || code > 599) {
    return Response.json({ error: 'code must be 200 to 599' }, { status: 400 });
  }
  if (WITHOUT_BODY.has(code)) return new Response(null, { status: code });
  return Response.json({ status: code }, { status: code });
}

export const dynamic = 'force-dynamic';

export async function POST(request) {
  return Response.json({ length: (await request.arrayBuffer()).byteLength });
}

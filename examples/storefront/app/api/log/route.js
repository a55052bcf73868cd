export const dynamic = 'force-dynamic';

export function GET(request) {
  const msg = request.nextUrl.searchParams.get('msg') ?? '';
  console.log(`stdout: ${msg}`);
  console.error(`stderr: ${msg}`);
  return Response.json({ logged: msg });
}

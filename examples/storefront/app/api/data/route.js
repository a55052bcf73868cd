export const dynamic = 'force-dynamic';

// Stock figures that differ on every request: the origin behind /tags when
// DATA_URL names no other.
export function GET() {
  return Response.json({
    stock: Math.floor(Math.random() * 1_000_000),
    at: new Date().toISOString(),
  });
}

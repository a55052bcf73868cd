export const dynamic = 'force-dynamic';

export function GET() {
  if (process.env.SHOP_ALLOW_CRASH !== '1') {
    return Response.json({ error: 'set SHOP_ALLOW_CRASH=1 to allow this' }, { status: 403 });
  }
  console.error('crash: leaving on request');
  process.exit(1);
}

export const dynamic = 'force-dynamic';

// Values of the shop's own variables only; of all others the names.
export function GET() {
  const shop = Object.entries(process.env).filter(([name]) => name.startsWith('SHOP_'));
  return Response.json({
    shop: Object.fromEntries(shop),
    names: Object.keys(process.env).sort(),
    pid: process.pid,
  });
}

export const dynamic = 'force-dynamic';

export function GET() {
  const response = Response.json({ set: ['plain', 'dated', 'strict'] });
  response.headers.append('set-cookie', 'plain=one; Path=/');
  response.headers.append('set-cookie', 'dated=two; Path=/; Expires=Thu, 31 Dec 2099 23:59:59 GMT');
  response.headers.append('set-cookie', 'strict=a%2Cb; Path=/; HttpOnly; SameSite=Strict');
  return response;
}

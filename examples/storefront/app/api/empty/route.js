export const dynamic = 'force-dynamic';

export function GET() {
  const body = new ReadableStream({
    start(controller) {
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/plain' } });
}

import { cookies } from 'next/headers';
import { redirect } from 'next/navigation';

export const dynamic = 'force-dynamic';

export async function GET() {
  (await cookies()).set('gate', 'open', { path: '/', httpOnly: true, sameSite: 'lax' });
  redirect('/gated');
}

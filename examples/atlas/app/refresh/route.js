import { revalidatePath, revalidateTag } from 'next/cache';

export const dynamic = 'force-dynamic';

// revalidateTag for each ?tag=, revalidatePath for ?path= and ?type=.
export function POST(request) {
  const params = request.nextUrl.searchParams;
  for (const tag of params.getAll('tag')) revalidateTag(tag);
  const path = params.get('path');
  if (path) revalidatePath(path, params.get('type') ?? undefined);
  return Response.json({ revalidated: params.toString() });
}

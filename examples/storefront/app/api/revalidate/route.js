import { revalidatePath, revalidateTag } from 'next/cache';

export const dynamic = 'force-dynamic';

export function POST(request) {
  const params = request.nextUrl.searchParams;
  const tags = params.getAll('tag');
  const paths = params.getAll('path');
  if (tags.length + paths.length === 0) {
    return Response.json({ error: 'give ?tag= or ?path=' }, { status: 400 });
  }
  tags.forEach((tag) => revalidateTag(tag));
  paths.forEach((path) => revalidatePath(path));
  return Response.json({ revalidated: { tags, paths } });
}

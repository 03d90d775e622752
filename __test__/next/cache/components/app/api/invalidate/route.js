import { revalidatePath, revalidateTag } from 'next/cache'

export async function POST(request) {
  const { tag, path, profile } = await request.json()
  if (path) revalidatePath(path)
  // The second argument is one of Next.js 16.
  else revalidateTag(tag, profile ?? { expire: 0 })
  return Response.json({ at: Date.now() })
}

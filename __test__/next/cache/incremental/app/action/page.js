import * as cache from 'next/cache'
import { headers } from 'next/headers'

async function invalidate(form) {
  'use server'
  const update = cache.updateTag ?? cache.revalidateTag
  update(String(form.get('tag')))
}

export default async function Page() {
  await headers()
  return (
    <form action={invalidate}>
      <input name="tag" />
      <button>Invalidate</button>
    </form>
  )
}

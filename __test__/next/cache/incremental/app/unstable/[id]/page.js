import { unstable_cache } from 'next/cache'
import { headers } from 'next/headers'

import { made, Output } from '../../made.js'

export default async function Page({ params }) {
  const { id } = await params
  await headers()
  const read = unstable_cache(async () => made(), [id], { tags: [`unstable-${id}`], revalidate: 3600 })
  return <Output value={await read()} />
}

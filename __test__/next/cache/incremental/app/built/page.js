import { unstable_cache } from 'next/cache'

import { made, Output } from '../made.js'

const read = unstable_cache(async () => 'built', ['built'], { tags: ['built'], revalidate: 3600 })

export default async function Page() {
  return <Output value={made({ data: await read() })} />
}

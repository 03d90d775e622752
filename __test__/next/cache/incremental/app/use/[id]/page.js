import * as cache from 'next/cache'
import { headers } from 'next/headers'

import { made, Output } from '../../made.js'

const cacheTag = cache.cacheTag ?? cache.unstable_cacheTag
const cacheLife = cache.cacheLife ?? cache.unstable_cacheLife

async function read(id) {
  'use cache'
  cacheTag(`use-${id}`)
  cacheLife({ stale: 60, revalidate: 3600, expire: 7200 })
  return { ...made(), bytes: new Uint8Array(100_000).map((_, at) => at * 7), text: 'ü'.repeat(200_000) }
}

export default async function Page({ params }) {
  const { id } = await params
  await headers()
  const { bytes, text, ...value } = await read(id)
  const whole =
    bytes.length === 100_000 && bytes.every((byte, at) => byte === (at * 7) % 256) && text === 'ü'.repeat(200_000)
  return <Output value={{ ...value, whole }} />
}

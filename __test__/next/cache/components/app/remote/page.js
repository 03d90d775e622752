import { cacheLife, cacheTag } from 'next/cache'
import { connection } from 'next/server'
import { Suspense } from 'react'

import { made, Output } from '../made.js'

async function read() {
  'use cache: remote'
  cacheTag('remote')
  cacheLife('hours')
  return made()
}

async function Remote() {
  await connection()
  return <Output value={await read()} />
}

export default function Page() {
  return (
    <Suspense fallback="…">
      <Remote />
    </Suspense>
  )
}

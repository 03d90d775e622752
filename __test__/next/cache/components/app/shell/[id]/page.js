import { cacheLife, cacheTag } from 'next/cache'
import { draftMode } from 'next/headers'
import { connection } from 'next/server'
import { Suspense } from 'react'

import { made, Output } from '../../made.js'

export const generateStaticParams = () => [{ id: 'built' }]

async function read(id) {
  'use cache'
  cacheTag(`shell-${id}`)
  cacheLife('hours')
  return made({ path: id })
}

async function Cached({ params }) {
  const { id } = await params
  const { isEnabled: draft } = await draftMode()
  return <Output value={{ ...(await read(id)), draft }} />
}

async function Live() {
  await connection()
  return <p>live {process.env.INSTANCE}</p>
}

export default function Page({ params }) {
  return (
    <>
      <Suspense fallback="…">
        <Cached params={params} />
      </Suspense>
      <Suspense fallback="…">
        <Live />
      </Suspense>
    </>
  )
}

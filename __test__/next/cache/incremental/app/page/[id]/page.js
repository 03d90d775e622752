import { draftMode } from 'next/headers'

import { made, Output } from '../../made.js'

export const revalidate = 3600
export const generateStaticParams = () => []

export default async function Page({ params }) {
  const { id } = await params
  const response = await fetch(`${process.env.UPSTREAM}/${id}`, { next: { tags: [`data-${id}`], revalidate: 3600 } })
  const { isEnabled: draft } = await draftMode()
  return <Output value={made({ data: await response.json(), draft })} />
}

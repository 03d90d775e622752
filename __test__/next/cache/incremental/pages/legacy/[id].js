import { randomUUID } from 'node:crypto'

export const getStaticPaths = () => ({ paths: [], fallback: 'blocking' })

export function getStaticProps({ params }) {
  if (params.id === 'missing') return { notFound: true, revalidate: 3600 }
  if (params.id === 'moved') return { redirect: { destination: '/legacy/here', permanent: false }, revalidate: 3600 }
  return { props: { value: { id: randomUUID(), instance: process.env.INSTANCE } }, revalidate: 3600 }
}

export default function Legacy({ value }) {
  return <output>{JSON.stringify(value)}</output>
}

import { redirect } from 'next/navigation'
import { actionSession, getSession } from '../sessions'

async function signOut() {
  'use server'
  const session = await actionSession()
  await session.update({ role: 'guest' })
  await session.destroy()
  redirect('/session')
}

export default async function Page() {
  const session = await getSession()
  const isFresh = session.isFresh(60)
  return (
    <form action={signOut}>
      <output>{JSON.stringify({ userId: session.userId, role: session.data?.role, isFresh })}</output>
      <button>Sign out</button>
    </form>
  )
}

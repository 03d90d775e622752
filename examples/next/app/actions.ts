'use server'

import { RateLimiter } from 'cinnabar'
import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { announce } from './devices/changes'
import { actionSession } from './session'
import { hasPassword, userIn } from './users'

/** Signs in. A user has five attempts in a minute. */
export async function signIn(form: FormData) {
  const user = userIn(form)
  if (user === null) redirect('/?problem=password')
  const { allowed } = await RateLimiter.checkRateLimit(`sign-in:${user.id}`, 5, 60)
  if (!allowed) redirect('/?problem=limit')
  if (!hasPassword(user, form)) redirect('/?problem=password')
  const session = await actionSession()
  const device = (await headers()).get('user-agent')?.slice(0, 200) ?? 'unknown'
  await session.signIn(user.id, { name: user.name, device })
  await announce(user.id)
  redirect('/devices')
}

export async function signOut() {
  const session = await actionSession()
  const { userId } = session
  await session.destroy()
  if (userId !== null) await announce(userId)
  redirect('/')
}

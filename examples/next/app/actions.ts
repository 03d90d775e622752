'use server'

import { RateLimiter } from 'cinnabar'
import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { actionSession, sessions } from './session'
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
  redirect('/devices')
}

export async function signOut() {
  await (await actionSession()).destroy()
  redirect('/')
}

export async function signOutEverywhere() {
  const session = await actionSession()
  if (session.userId !== null) await sessions.invalidateUser(session.userId)
  await session.destroy()
  redirect('/')
}

/** Ends the session of the device that the form names, perhaps this one. */
export async function revoke(form: FormData) {
  await (await actionSession()).revoke(String(form.get('device')))
  redirect('/devices')
}

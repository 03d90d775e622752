'use server'

import { redirect } from 'next/navigation'
import { actionSession, sessions } from '../session'
import { announce } from './changes'

/** Ends the session of the device that the form names, perhaps this one. */
export async function revoke(form: FormData) {
  const session = await actionSession()
  const { userId } = session
  await session.revoke(String(form.get('device')))
  if (userId !== null) await announce(userId)
  redirect('/devices')
}

export async function signOutEverywhere() {
  const session = await actionSession()
  const { userId } = session
  if (userId !== null) await sessions.invalidateUser(userId)
  await session.destroy()
  if (userId !== null) await announce(userId)
  redirect('/')
}

import { SessionManager } from 'cinnabar'
import { session } from 'cinnabar/next'

export const { getSession, actionSession, withSession } = session({
  sessions: new SessionManager<{ role: string }>(),
})

/** What must not compile. */
export async function misuse() {
  const seen = await getSession()
  // @ts-expect-error a page cannot sign in
  await seen.signIn('ada', { role: 'admin' })
  const changed = await actionSession()
  // @ts-expect-error no such role
  await changed.signIn('ada', { role: 1 })
  // @ts-expect-error no response
  withSession(() => 'text')
  // @ts-expect-error misspelt
  withSession(() => new Response(), { require: true })
  // @ts-expect-error not a manager
  session({ sessions: {} })
}

// Who asks: the session behind the cookie.
import { SessionManager } from '../../index.js'
import { cookie, HttpError } from './http.mjs'

// A cookie is shared by all ports of a host: a name of its own keeps other programs on localhost out of it.
export const COOKIE = 'cinnabar_example'
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Lax'
const DAY_SECONDS = 86_400

/** The visitor's session id and session, or null: no cookie, an unknown one, or a session that ended. */
export async function visitor(request) {
  const id = cookie(request, COOKIE)
  // An id this library made looks like this; anything else is not worth a look-up.
  if (!id || !/^[\w-]{16,128}$/.test(id)) return null
  const session = await SessionManager.getSession(id)
  return session && { id, session }
}

/** The same, refused with 401 when nobody is signed in. */
export async function requireVisitor(request) {
  const found = await visitor(request)
  if (!found) throw new HttpError(401, 'sign_in', 'Sign in first: this needs a session.')
  return found
}

/** The name to show for whoever asks. */
export async function nameOf(request) {
  return (await visitor(request))?.session.name ?? 'a guest'
}

/** The cookie that signs a visitor in. */
export const signIn = (id) => ({ 'Set-Cookie': `${COOKIE}=${id}; Max-Age=${DAY_SECONDS}; ${ATTRIBUTES}` })

/** The cookie that signs a visitor out. */
export const signOut = { 'Set-Cookie': `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}` }

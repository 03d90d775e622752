// The visitor: the session whose id the cookie carries.
import { SessionManager } from '../../index.js'
import { cookie, HttpError } from './http.mjs'

// All ports of a host share cookies, so this one has a name that other programs on localhost do not use.
export const COOKIE = 'cinnabar_example'
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Lax'
const DAY_SECONDS = 86_400

/** Returns the visitor's session id and session; `null` without a cookie, or if its session does not exist. */
export async function visitor(request) {
  const id = cookie(request, COOKIE)
  // The library's ids look like this; there is no need to look up anything else.
  if (!id || !/^[\w-]{16,128}$/.test(id)) return null
  const session = await SessionManager.getSession(id)
  return session && { id, session }
}

/** Returns the visitor, or throws 401 if there is none. */
export async function requireVisitor(request) {
  const found = await visitor(request)
  if (!found) throw new HttpError(401, 'sign_in', 'Sign in first: this needs a session.')
  return found
}

/** Returns the name to show for a visitor. */
export async function nameOf(request) {
  return (await visitor(request))?.session.name ?? 'a guest'
}

/** The cookie that signs a visitor in. */
export const signIn = (id) => ({ 'Set-Cookie': `${COOKIE}=${id}; Max-Age=${DAY_SECONDS}; ${ATTRIBUTES}` })

/** The cookie that signs a visitor out. */
export const signOut = { 'Set-Cookie': `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}` }

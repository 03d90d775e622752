// The visitor: the session of the request's cookie, and the devices on which its user is signed in.
import { SessionManager, publish } from '../../index.js'
import { HttpError } from './http.mjs'

const MOST_DEVICES = 5

const sessions = new SessionManager(undefined, {
  // All ports of a host share cookies, so this one has a name that other programs on localhost do not use. `npm start` has no TLS.
  cookie: { name: 'cinnabar_example', secure: false },
  maxPerUser: MOST_DEVICES,
})

/** Returns the session of a request; its `data` is `null` if no user is signed in. */
export const sessionOf = (request) => sessions.fromRequest(request)

/** Returns the session of a request, or throws 401 if there is none. */
export async function requireSession(request) {
  const session = await sessionOf(request)
  if (session.data === null) throw new HttpError(401, 'sign_in', 'Sign in first: this needs a session.')
  return session
}

/** Returns the name to show for a visitor. */
export async function nameOf(request) {
  return (await sessionOf(request)).data?.name ?? 'a guest'
}

/** Signs a user in on the device that sends the request. */
export async function signIn(session, userId, name, request) {
  await session.signIn(userId, { name, note: '', device: deviceOf(request.headers['user-agent']) })
  await announce(userId)
}

/** Ends all sessions of the user, on every device. */
export async function endAll(session) {
  const { userId } = session
  await sessions.invalidateUser(userId)
  await session.destroy()
  await announce(userId)
}

/** Lets the other pages of a user know that sessions began or ended. */
export const announce = (userId) => publish(devicesChannel(userId), {})

/** The channel of what `announce` publishes. */
export const devicesChannel = (userId) => `example:devices:${userId}`

/** Names the browser and the system, for a list of devices. */
function deviceOf(agent = '') {
  const find = (names) => names.find(([part]) => agent.includes(part))?.[1]
  const browser = find([
    ['Firefox/', 'Firefox'],
    ['Edg/', 'Edge'],
    ['OPR/', 'Opera'],
    ['Chrome/', 'Chrome'],
    ['Safari/', 'Safari'],
  ])
  const system = find([
    ['Android', 'Android'],
    ['iPhone', 'iPhone'],
    ['iPad', 'iPad'],
    ['Windows', 'Windows'],
    ['Mac OS X', 'macOS'],
    ['Linux', 'Linux'],
  ])
  return `${browser ?? 'A program'}${system ? ` on ${system}` : ''}`
}

// What several kinds of races use.

/** A clock that all processes of a machine share, in ms. */
export const now = () => Number(process.hrtime.bigint()) / 1e6

/** The request of a browser that has this token. */
export const requestOf = (token) => ({ headers: { cookie: `session=${token}` } })

/** The token that the browser has after the response, if it had this one. */
export function tokenAfter(session, token) {
  const { setCookie } = session
  return setCookie === null ? token : /^[^=]*=([^;]*)/.exec(setCookie)[1]
}

export const pick = (random, list) => list[Math.floor(random() * list.length)]

/** Undefined for an error of one of these codes. */
export const unless = (codes, promise) =>
  promise.catch((error) => {
    if (!codes.includes(error.code)) throw error
  })

/** Whether each of these tokens is accepted by a read. */
export const accepted = (sessions, tokens) =>
  Promise.all(tokens.map(async (token) => (await sessions.getSession(token)) !== null))

/** How many calls that write or rotate accept one of these tokens. */
export async function writable(sessions, tokens) {
  const found = await Promise.all(
    tokens.flatMap((token) => [
      sessions.updateSession(token, { late: 1 }),
      sessions.updateSession(token, { late: 2 }, { ttl: 300, remove: ['n'] }),
      sessions.touch(token),
      sessions.touch(token, 90),
      sessions.extendSession(token, 90),
      sessions.fromRequest(requestOf(token)).then((session) => session.rotate()),
    ]),
  )
  return found.filter(Boolean).length
}

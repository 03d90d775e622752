// Signing in, reading the session, changing it, signing out.
import { SessionManager } from '../../../index.js'
import { HttpError, readJson, requireText, send } from '../http.mjs'
import { rooms } from '../members.mjs'
import { requireVisitor, signIn, signOut, visitor } from '../visitor.mjs'
import { ROOMS } from './room.mjs'

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u

export function sessionRoutes({ engine }) {
  return {
    'GET /api/session': async (request, response) => {
      send(response, 200, { engine, ...view(await visitor(request)) })
    },

    // Any name will do: checking a password is the application's part.
    'POST /api/login': async (request, response) => {
      const name = requireText(await readJson(request), 'name', 24)
      if (!NAME.test(name))
        throw new HttpError(400, 'bad_input', 'A name has letters, digits, spaces, dots and dashes.')
      const before = await visitor(request)
      const id = await SessionManager.createSession(name.toLowerCase(), { name, note: '' })
      // A new sign-in never leaves the old session open behind it.
      if (before) await SessionManager.destroySession(before.id)
      send(response, 200, view({ id, session: await SessionManager.getSession(id) }), signIn(id))
    },

    'PATCH /api/session': async (request, response) => {
      const { id } = await requireVisitor(request)
      const note = requireText(await readJson(request), 'note', 80)
      if (!(await SessionManager.updateSession(id, { note }))) {
        throw new HttpError(401, 'sign_in', 'The session ended meanwhile. Sign in again.')
      }
      send(response, 200, view({ id, session: await SessionManager.getSession(id) }))
    },

    'POST /api/logout': async (request, response) => {
      const who = await visitor(request)
      if (who) {
        await Promise.all(ROOMS.map((room) => rooms.removeUserFromRoom(room, who.session.userId)))
        await SessionManager.destroySession(who.id)
      }
      send(response, 200, view(null), signOut)
    },
  }
}

/** What a page may see: the id is the visitor's secret, so only its beginning leaves the server. */
function view(who) {
  if (!who) return { session: null }
  return { key: `session:${who.id.slice(0, 6)}…`, session: who.session }
}

// Signing in, reading the session, changing it; the devices of the user; signing out, here or everywhere.
import { HttpError, readJson, requireText, send } from '../http.mjs'
import { rooms } from '../members.mjs'
import { announce, endAll, requireSession, sessionOf, signIn } from '../visitor.mjs'
import { ROOMS } from './room.mjs'

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u

export function sessionRoutes({ engine }) {
  return {
    'GET /api/session': async (request, response) => {
      send(response, 200, { engine, ...(await view(await sessionOf(request))) })
    },

    // Any name will do: checking a password is the application's part.
    'POST /api/login': async (request, response) => {
      const name = requireText(await readJson(request), 'name', 24)
      if (!NAME.test(name))
        throw new HttpError(400, 'bad_input', 'A name has letters, digits, spaces, dots and dashes.')
      // A new sign-in never leaves the old session open behind it.
      const session = await sessionOf(request)
      await signIn(session, name.toLowerCase(), name, request)
      send(session.commit(response), 200, await view(session))
    },

    'PATCH /api/session': async (request, response) => {
      const session = await requireSession(request)
      const note = requireText(await readJson(request), 'note', 80)
      if (!(await session.update({ note }))) {
        throw new HttpError(401, 'sign_in', 'The session ended meanwhile. Sign in again.')
      }
      send(session.commit(response), 200, await view(session))
    },

    'DELETE /api/devices/:publicId': async (request, response, { publicId }) => {
      const session = await requireSession(request)
      const { userId } = session
      const ended = await session.revoke(publicId)
      if (ended) await announce(userId)
      send(session.commit(response), 200, { ended, ...(await view(session)) })
    },

    'POST /api/logout': async (request, response) => {
      const session = await sessionOf(request)
      const { userId } = session
      if (userId !== null) await leaveRooms(userId)
      await session.destroy()
      if (userId !== null) await announce(userId)
      send(session.commit(response), 200, await view(session))
    },

    'POST /api/logout-everywhere': async (request, response) => {
      const session = await requireSession(request)
      await leaveRooms(session.userId)
      await endAll(session)
      send(session.commit(response), 200, await view(session))
    },
  }
}

const leaveRooms = (userId) => Promise.all(ROOMS.map((room) => rooms.removeUserFromRoom(room, userId)))

/** What a page may see: the session and the devices of the user, none of which has the token. */
async function view(session) {
  const devices = await session.devices()
  const shown = devices.map(({ publicId, session: { device, createdAt }, current }) => ({
    publicId,
    device,
    createdAt,
    current,
  }))
  return { session: session.data, devices: shown.sort((a, b) => a.createdAt.localeCompare(b.createdAt)) }
}

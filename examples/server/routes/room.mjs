// A room: its users, its messages, and a live message to all pages that show it.
import { randomUUID } from 'node:crypto'
import { publish } from '../../../index.js'
import { HttpError, readJson, requireText, send } from '../http.mjs'
import { joinRoom, isIn, rooms } from '../members.mjs'
import { requireSession } from '../visitor.mjs'

/** All rooms; any other name is rejected before it becomes part of a key. */
export const ROOMS = ['lobby', 'workshop']

const MESSAGES_SHOWN = 20

export function roomRoutes() {
  return {
    'GET /api/rooms/:room': async (request, response, { room }) => {
      checkRoom(room)
      send(response, 200, await state(room))
    },

    'POST /api/rooms/:room/join': async (request, response, { room }) => {
      checkRoom(room)
      const { data: session } = await requireSession(request)
      // The page opens its live stream next, which keeps the visitor in the room.
      const leave = await joinRoom(room, session)
      leave()
      send(response, 200, await state(room))
    },

    'POST /api/rooms/:room/leave': async (request, response, { room }) => {
      checkRoom(room)
      const { data: session } = await requireSession(request)
      await rooms.removeUserFromRoom(room, session.userId)
      send(response, 200, await state(room))
    },

    'POST /api/rooms/:room/say': async (request, response, { room }) => {
      checkRoom(room)
      const { data: session } = await requireSession(request)
      const text = requireText(await readJson(request), 'message', 200)
      if (!(await isIn(room, session))) throw new HttpError(403, 'not_in_room', 'Join the room before you speak.')
      // By its id, a page that gets a message twice, live and in a list, shows it once.
      const message = { id: randomUUID(), at: Date.now(), name: session.name, text }
      await rooms.storeMessage(room, message)
      await publish(channelOf(room), message)
      send(response, 200, await state(room))
    },
  }
}

/** The channel of a room's messages. */
export const channelOf = (room) => `example:room:${room}`

export function checkRoom(room) {
  if (!ROOMS.includes(room))
    throw new HttpError(404, 'no_room', `There is no such room. There are: ${ROOMS.join(', ')}.`)
}

async function state(room) {
  const [users, messages] = await Promise.all([rooms.getRoomUsers(room), rooms.getRecentMessages(room, MESSAGES_SHOWN)])
  const names = Object.entries(users).map(([id, user]) => user?.name ?? id)
  return { room, users: names.sort(), messages: messages.reverse() }
}

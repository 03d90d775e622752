// One stream of events per page: users and messages of its room, the counter, the events of the queue, and the devices of its user. Its
// visitor stays in the room as long as it is open, and it ends with the session.
import { subscribe } from '../../../index.js'
import { HttpError } from '../http.mjs'
import { joinRoom, isIn, rooms } from '../members.mjs'
import { devicesChannel, sessionOf } from '../visitor.mjs'
import { watchNear } from './profile.mjs'
import { channelOf, checkRoom } from './room.mjs'

export const COUNTER_CHANNEL = 'example:counter'

const MAX_STREAMS = 200
// Proxies close streams that are silent for long.
const HEARTBEAT_MS = 20_000
// A page that stops reading is disconnected, so that what waits for it is bounded.
const MAX_UNREAD_BYTES = 1024 * 1024
const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', Connection: 'close' }

export function liveRoutes({ stopping, jobs }) {
  const streams = new Set()
  stopping.addEventListener('abort', () => streams.forEach((response) => response.end()))

  return {
    'GET /api/rooms/:room/live': async (request, response, { room }) => {
      checkRoom(room)
      if (request.method === 'HEAD') return response.writeHead(200, HEADERS).end()
      if (streams.size >= MAX_STREAMS) throw new HttpError(503, 'full', 'Too many pages are watching. Try again later.')
      streams.add(response)
      const closed = new Promise((resolve) => response.once('close', resolve))
      const subscriptions = []
      let leave, unwatchNear
      const unwatch = jobs.watch((event) => write(response, 'job', event))
      try {
        const { data: user } = await sessionOf(request)
        if (user && (await isIn(room, user))) leave = await joinRoom(room, user)
        // All are subscribed before the page gets `ready`, after which it reads what it missed.
        subscriptions.push(await rooms.watch(room, ({ type, userId }) => write(response, 'people', { type, userId })))
        subscriptions.push(await subscribe(channelOf(room), (message) => write(response, 'message', message)))
        subscriptions.push(await subscribe(COUNTER_CHANNEL, (event) => write(response, 'counter', event)))
        if (user) {
          const check = () => checkSession(request, response)
          subscriptions.push(await subscribe(devicesChannel(user.userId), check))
        }
        response.writeHead(200, HEADERS)
        write(response, 'ready', { room })
        if (user) unwatchNear = watchNear(user, (state) => write(response, 'near', state))
        const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS)
        if (stopping.aborted) response.end()
        await closed
        clearInterval(heartbeat)
      } finally {
        streams.delete(response)
        unwatch()
        leave?.()
        unwatchNear?.()
        await Promise.all(subscriptions.map((subscription) => subscription.close()))
      }
    },
  }
}

/** Lets a page know that sessions of its user began or ended, and ends its stream if its own did. */
async function checkSession(request, response) {
  const hasEnded = await sessionOf(request).then(
    ({ data }) => data === null,
    // While the store is away nothing is known; the page asks again when it is back.
    () => false,
  )
  write(response, 'session', {})
  if (hasEnded) response.end()
}

function write(response, event, data) {
  if (!response.headersSent || response.destroyed) return
  if (response.writableLength > MAX_UNREAD_BYTES) return response.destroy()
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}

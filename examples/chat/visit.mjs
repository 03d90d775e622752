// One window, from its first message to its end: the users of its room, their messages, and those that it missed.
import { checkEntry, checkText, parse, Refusal } from './asked.mjs'

/** Ten messages in ten seconds per user, over all servers. */
const LIMIT = [10, 10]
/** A window for which this much waits is disconnected. It reconnects and gets what it missed. */
const MAX_WAITING_BYTES = 1 << 20
/** How many requests of a window may be pending. People do not reach it; a program is disconnected. */
const MAX_ASKED = 20

/** Serves a window until it is closed. `rooms` is a `RealtimeDataManager`, `label` the name of this server. */
export function visit(socket, { rooms, limiter, label, origins }) {
  const opened = []
  let who = null

  const send = (message) => {
    if (socket.bufferedAmount > MAX_WAITING_BYTES) return socket.terminate()
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }

  const actions = {
    async enter(asked) {
      if (who) throw new Refusal('You are in already.')
      who = checkEntry(asked)
      const { name, room, since } = who
      send({ type: 'welcome', server: label, origins })
      const watch = await rooms.watch(room, ({ type, userId }) => send({ type, name: userId }))
      opened.push(watch)
      send({ type: 'people', people: [...watch.users.keys()] })
      // 0: all stored messages.
      const options = { since: since ?? 0, onGap: ({ missed }) => send({ type: 'gap', missed }) }
      opened.push(await rooms.listen(room, (message) => send({ type: 'message', ...message }), options))
      opened.push(await rooms.join(room, name))
      send({ type: 'entered' })
    },

    async say(asked) {
      if (!who) throw new Refusal('Enter a room first.')
      const { text, id } = checkText(asked)
      const { allowed } = await limiter.checkRateLimit(`chat:${who.name}`, ...LIMIT)
      if (!allowed) throw new Refusal('Slow down: ten messages in ten seconds are enough.')
      send({ type: 'said', id, seq: await rooms.send(who.room, { from: who.name, text }) })
    },
  }

  const handle = async (data, isBinary) => {
    let asked
    try {
      asked = parse(data, isBinary)
      if (!Object.hasOwn(actions, asked.type)) throw new Refusal(`There is no ${asked.type.slice(0, 20)}.`)
      await actions[asked.type](asked)
    } catch (error) {
      refuse(error, asked)
    }
  }

  /** A window that could not enter tries again later, perhaps on another server. */
  const refuse = (error, asked) => {
    if (!(error instanceof Refusal)) console.error(`Server ${label}: ${error.message}`)
    const words = error instanceof Refusal ? error.message : 'Redis cannot be reached at present.'
    send({ type: 'refused', id: asked?.id, words })
    if (asked?.type === 'enter') socket.close(error instanceof Refusal ? 1008 : 1013, words)
  }

  // One at a time, so that messages are sent in order.
  let last = Promise.resolve()
  let waiting = 0
  socket.on('message', (data, isBinary) => {
    waiting += 1
    if (waiting > MAX_ASKED) return socket.close(1008, 'too much at once')
    last = last.then(() => handle(data, isBinary)).finally(() => (waiting -= 1))
  })
  socket.on('close', async () => {
    await last
    // In reverse order: after leaving, a window gets nothing more.
    for (const each of opened.splice(0).reverse()) {
      await (each.leave?.() ?? each.close()).catch((error) => console.error(`Server ${label}: ${error.message}`))
    }
  })
}

// One window, from its first word to its end: who else is there, what is said, and what it missed.
import { checkEntry, checkText, parse, Refusal } from './asked.mjs'

/** Ten messages in ten seconds each, whichever server they come by. */
const LIMIT = [10, 10]
/** A window that reads so slowly that this much waits for it is dropped. It comes back and asks for what it missed. */
const MAX_WAITING_BYTES = 1 << 20
/** A window may ask this much before it is answered: a person cannot, and a program is dropped. */
const MAX_ASKED = 20

/** Serves a window until it goes. `rooms` is a `RealtimeDataManager`, `label` the name of this server. */
export function visit(socket, { rooms, limiter, label, origins }) {
  const held = []
  let who = null

  const tell = (message) => {
    if (socket.bufferedAmount > MAX_WAITING_BYTES) return socket.terminate()
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }

  const actions = {
    async enter(asked) {
      if (who) throw new Refusal('You are in already.')
      who = checkEntry(asked)
      const { name, room, since } = who
      tell({ type: 'welcome', server: label, origins })
      const watch = await rooms.watch(room, ({ type, userId }) => tell({ type, name: userId }))
      held.push(watch)
      tell({ type: 'people', people: [...watch.users.keys()] })
      // Since 0: all that is kept.
      const options = { since: since ?? 0, onGap: ({ missed }) => tell({ type: 'gap', missed }) }
      held.push(await rooms.listen(room, (message) => tell({ type: 'message', ...message }), options))
      held.push(await rooms.join(room, name))
      tell({ type: 'entered' })
    },

    async say(asked) {
      if (!who) throw new Refusal('Enter a room first.')
      const { text, id } = checkText(asked)
      const { allowed } = await limiter.checkRateLimit(`chat:${who.name}`, ...LIMIT)
      if (!allowed) throw new Refusal('Slow down: ten messages in ten seconds are enough.')
      tell({ type: 'said', id, seq: await rooms.send(who.room, { from: who.name, text }) })
    },
  }

  const answer = async (data, isBinary) => {
    let asked
    try {
      asked = parse(data, isBinary)
      if (!Object.hasOwn(actions, asked.type)) throw new Refusal(`There is no ${asked.type.slice(0, 20)}.`)
      await actions[asked.type](asked)
    } catch (error) {
      refuse(error, asked)
    }
  }

  /** Whoever could not enter tries again later, perhaps at another server. */
  const refuse = (error, asked) => {
    if (!(error instanceof Refusal)) console.error(`Server ${label}: ${error.message}`)
    const words = error instanceof Refusal ? error.message : 'Redis cannot be reached just now.'
    tell({ type: 'refused', id: asked?.id, words })
    if (asked?.type === 'enter') socket.close(error instanceof Refusal ? 1008 : 1013, words)
  }

  // One at a time: what was said first is sent first.
  let last = Promise.resolve()
  let waiting = 0
  socket.on('message', (data, isBinary) => {
    waiting += 1
    if (waiting > MAX_ASKED) return socket.close(1008, 'too much at once')
    last = last.then(() => answer(data, isBinary)).finally(() => (waiting -= 1))
  })
  socket.on('close', async () => {
    await last
    // The last that was begun first: who left hears nothing any more.
    for (const each of held.splice(0).reverse()) {
      await (each.leave?.() ?? each.close()).catch((error) => console.error(`Server ${label}: ${error.message}`))
    }
  })
}

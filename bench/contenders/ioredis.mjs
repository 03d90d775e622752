/** ioredis with its defaults, and what people write on it by hand: JSON values and sessions. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'

const SESSION_SECONDS = 86_400

export function connect({ host, port }, options = {}) {
  return new Redis({ host, port, ...options })
}

/** The same methods on any ioredis client, however it is configured. */
export function methodsOf(client) {
  const write = (key, session) => client.set(key, JSON.stringify(session), 'EX', SESSION_SECONDS)
  return {
    cacheKey: (name) => `api:${name}`,
    getJson: async (key) => JSON.parse(await client.get(key)),
    setJson: (key, value, ttl) => client.set(key, JSON.stringify(value), 'EX', ttl),
    createSession: async (userId, data) => {
      const id = randomUUID()
      await write(`session:${id}`, { userId, createdAt: new Date().toISOString(), ...data })
      return id
    },
    getSession: async (id) => JSON.parse(await client.get(`session:${id}`)),
    updateSession: async (id, changes) => {
      const key = `session:${id}`
      const session = JSON.parse(await client.get(key))
      if (session === null) return false
      return (await write(key, { ...session, ...changes })) === 'OK'
    },
    ...messagesOf(client),
  }
}

/** A connection that subscribes can do nothing else, so a subscriber is one more. */
function messagesOf(client) {
  let subscriber
  return {
    publish: (channel, value) => client.publish(channel, JSON.stringify(value)),
    async subscribe(channel, handler) {
      subscriber = client.duplicate()
      subscriber.on('message', (_, text) => handler(JSON.parse(text)))
      await subscriber.subscribe(channel)
    },
    close: () => Promise.all([client.quit(), subscriber?.quit()]),
  }
}

export async function open(address) {
  return methodsOf(connect(address))
}

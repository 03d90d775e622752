/** node-redis with its defaults; it pipelines the calls of one tick by itself. */
import { createClient } from 'redis'

export async function open({ url }) {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  let subscriber
  return {
    cacheKey: (name) => `api:${name}`,
    getJson: async (key) => JSON.parse(await client.get(key)),
    setJson: (key, value, ttl) => client.set(key, JSON.stringify(value), { EX: ttl }),
    publish: (channel, value) => client.publish(channel, JSON.stringify(value)),
    async subscribe(channel, handler) {
      subscriber = client.duplicate()
      await subscriber.connect()
      await subscriber.subscribe(channel, (text) => handler(JSON.parse(text)))
    },
    close: () => Promise.all([client.close(), subscriber?.close()]),
  }
}

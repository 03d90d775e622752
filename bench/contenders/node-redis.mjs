/** node-redis with its defaults; it pipelines the calls of one tick by itself. */
import { createClient } from 'redis'

export async function open({ url }) {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return {
    cacheKey: (name) => `api:${name}`,
    getJson: async (key) => JSON.parse(await client.get(key)),
    setJson: (key, value, ttl) => client.set(key, JSON.stringify(value), { EX: ttl }),
    close: () => client.close(),
  }
}

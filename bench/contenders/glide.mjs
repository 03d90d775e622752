/** valkey-glide. Its default deadline of 250 ms is raised: 512 large values in flight take longer than that. */
import glide from '@valkey/valkey-glide'

const { GlideClient, TimeUnit } = glide

export async function open({ host, port }) {
  const client = await GlideClient.createClient({ addresses: [{ host, port }], requestTimeout: 10_000 })
  return {
    cacheKey: (name) => `api:${name}`,
    getJson: async (key) => JSON.parse(await client.get(key)),
    setJson: (key, value, ttl) =>
      client.set(key, JSON.stringify(value), { expiry: { type: TimeUnit.Seconds, count: ttl } }),
    close: () => client.close(),
  }
}

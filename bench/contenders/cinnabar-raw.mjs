/** cinnabar's raw string calls with JSON done by the caller, as one moves code over from another client. */
import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

export async function open({ url }) {
  const { RedisService } = load('../..')
  const service = new RedisService({ url })
  await service.connect()
  return {
    cacheKey: (name) => `api:${name}`,
    getJson: async (key) => JSON.parse(await service.get(key)),
    setJson: (key, value, ttl) => service.set(key, JSON.stringify(value), { EX: ttl }),
    close: () => service.disconnect(),
  }
}

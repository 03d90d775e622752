// One of web-workers.mjs: replies once, then makes calls until it gets a message or is terminated.

import { RedisService } from 'cinnabar'

const service = new RedisService()
let over = false
self.onmessage = () => (over = true)

await service.set('web-worker', 'x'.repeat(100_000))
if ((await service.get('web-worker')).length === 100_000) self.postMessage('settled')
while (!over) await service.get('web-worker')
await service.disconnect()
self.postMessage('over')
self.close()

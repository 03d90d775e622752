// One of web-workers.mjs: answers once, then asks without an end until it is told to end or is ended.

import { RedisService } from 'cinnabar'

const service = new RedisService()
let over = false
self.onmessage = () => (over = true)

await service.set('web-worker', 'x'.repeat(100_000))
if ((await service.get('web-worker')).length === 100_000) self.postMessage('answered')
while (!over) await service.get('web-worker')
await service.disconnect()
self.postMessage('over')
self.close()

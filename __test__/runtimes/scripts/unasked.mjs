// What the default service and one with a url in code return where the environment may not be read.

import { RedisService, redisService } from 'cinnabar'

const service = new RedisService({ url: 'memory:' })
const byDefault = await redisService.set('key', 'value').catch(({ code, message }) => ({ code, message }))
console.log(JSON.stringify({ byDefault, inCode: await service.set('key', 'value') }))

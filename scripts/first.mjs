// Loads the addon beside this repository's sources and makes a first call: whether an addon works on a system at all. It needs nothing else.

import cinnabar from '../index.js'

const cache = new cinnabar.ApiCache(new cinnabar.RedisService({ url: 'memory:' }))
const value = await cache.getOrSet('greeting', () => 'loaded', { ttl: 60 })
if (value !== 'loaded' || (await cache.get('greeting')) !== 'loaded') throw new Error('the cache has lost a value')
console.log(`works in ${process.platform} on ${process.arch}, Node.js ${process.version}`)

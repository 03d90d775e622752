'use strict'

// One cold process of size.mjs: says on stdout what it was asked to find out about itself.
const { statSync } = require('node:fs')
const { performance } = require('node:perf_hooks')

const SETTLE_MS = 300
const [, , what, url] = process.argv

const tasks = {
  require() {
    const start = performance.now()
    const { RedisService, ApiCache } = require('../..')
    const cacheKey = ApiCache.keyFor('/probe', {})
    const requireMs = performance.now() - start
    const service = new RedisService({ url })
    const firstServiceMs = performance.now() - start
    const addon = Object.keys(require.cache).find((path) => path.endsWith('.node'))
    return { requireMs, firstServiceMs, addonMegabytes: statSync(addon).size / 1e6, used: [cacheKey, typeof service] }
  },
  async bare() {
    return resident()
  },
  async cinnabar() {
    const { RedisService } = require('../..')
    const service = new RedisService({ url })
    await service.connect()
    await service.set('probe', 'value')
    await service.get('probe')
    const result = await resident()
    await service.disconnect()
    return result
  },
  async ioredis() {
    const { Redis } = require('ioredis')
    const client = new Redis(url)
    await client.set('probe', 'value')
    await client.get('probe')
    const result = await resident()
    client.disconnect()
    return result
  },
}

async function resident() {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  globalThis.gc()
  return { rssMegabytes: process.memoryUsage.rss() / 1e6 }
}

Promise.resolve(tasks[what]()).then((result) => console.log(JSON.stringify(result)))

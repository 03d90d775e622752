// A worker thread that uses the default service and ends.
import { parentPort, workerData } from 'node:worker_threads'

import { ApiCache, RateLimiter, SessionManager, redisService } from 'cinnabar'

const id = await SessionManager.createSession(`worker${workerData}`)
await ApiCache.set(`worker:${workerData}`, { id })
await Promise.all(Array.from({ length: 20 }, () => RateLimiter.checkRateLimit('workers', 10_000, 60)))
const value = await ApiCache.get(`worker:${workerData}`)
// One is still in flight when the thread ends.
redisService.get('never awaited').catch(() => {})
parentPort.postMessage(value.id === id)

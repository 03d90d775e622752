// A counter that is read, slowly incremented and written back. Only the lock makes that correct: without it, two concurrent clicks would
// both read 7 and both write 8.
import { setTimeout as sleep } from 'node:timers/promises'
import { DistributedLock, publish, redisService } from '../../../index.js'
import { HttpError, readJson, send } from '../http.mjs'
import { nameOf } from '../visitor.mjs'
import { COUNTER_CHANNEL } from './live.mjs'

const RESOURCE = 'example:counter'
const VALUE_KEY = 'example:counter:value'
const HOLDER_KEY = 'example:counter:holder'
const DAY_SECONDS = 86_400
const LOCK_SECONDS = 10
const HOLD_MS = Number(process.env.HOLD_MS) || 3000
const WORK_MS = 40

export function counterRoutes({ stopping }) {
  return {
    'GET /api/counter': async (request, response) => {
      send(response, 200, await state())
    },

    'POST /api/counter': async (request, response) => {
      const { hold = false } = await readJson(request)
      if (typeof hold !== 'boolean') throw new HttpError(400, 'bad_input', 'hold is true or false.')
      const name = await nameOf(request)
      try {
        await DistributedLock.withLock(RESOURCE, () => addOne(name, hold ? HOLD_MS : WORK_MS, stopping), LOCK_SECONDS)
      } catch (error) {
        if (error.code !== 'E_LOCK_HELD') throw error
        const { value, holder } = await state()
        const message = `Refused: ${holder?.name ?? 'another request'} holds the lock.`
        return send(response, 409, { value, holder, error: { code: error.code, message } })
      }
      // After the lock is released, so that no page shows it as free too early.
      const after = await state()
      await publish(COUNTER_CHANNEL, after)
      send(response, 200, after)
    },
  }
}

/** The work under the lock. The holder's name is stored beside it only to be shown. */
async function addOne(name, workMs, stopping) {
  const holder = { name, until: Date.now() + workMs }
  await redisService.set(HOLDER_KEY, JSON.stringify(holder), { EX: LOCK_SECONDS })
  try {
    const value = await readValue()
    await publish(COUNTER_CHANNEL, { value, holder })
    // When the server stops, the wait ends, nothing is written, and the lock is released.
    await sleep(workMs, undefined, { signal: stopping })
    await redisService.set(VALUE_KEY, String(value + 1), { EX: DAY_SECONDS })
  } finally {
    await redisService.del(HOLDER_KEY)
  }
}

async function state() {
  const [value, holder] = await Promise.all([readValue(), redisService.get(HOLDER_KEY)])
  return { value, holder: holder && JSON.parse(holder) }
}

async function readValue() {
  return Number(await redisService.get(VALUE_KEY)) || 0
}

/** redis-semaphore on ioredis with enableAutoPipelining. */
import { connect } from './ioredis.mjs'
import { methodsOf } from './redis-semaphore.mjs'

export async function open(address) {
  return methodsOf(connect(address, { enableAutoPipelining: true }))
}

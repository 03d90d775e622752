/** rate-limiter-flexible on ioredis with enableAutoPipelining. */
import { connect } from './ioredis.mjs'
import { methodsOf } from './rate-limiter-flexible.mjs'

export async function open(address) {
  return methodsOf(connect(address, { enableAutoPipelining: true }))
}

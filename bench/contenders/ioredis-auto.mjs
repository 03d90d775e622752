/** ioredis with enableAutoPipelining: the calls of one tick go out as one pipeline. */
import { connect, methodsOf } from './ioredis.mjs'

export async function open(address) {
  return methodsOf(connect(address, { enableAutoPipelining: true }))
}

// The ports of the servers, chosen before either starts, so that each can send its pages the addresses of all.
import { once } from 'node:events'
import { createServer } from 'node:net'

const FIRST_PORT = 4000

/** Returns `PORT` (default 4000) and the next ports, as far as they are free. */
export async function choosePorts(env, count) {
  const first = Number(env.PORT || FIRST_PORT)
  if (!Number.isInteger(first) || first < 1 || first > 65_000) {
    throw new Error(`PORT must be a number from 1 to 65000, not "${env.PORT}".`)
  }
  const ports = []
  for (let port = first; ports.length < count; port++) {
    if (port > first + 100) throw new Error(`There are no free ports from ${first} to ${port}.`)
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

async function isFree(port) {
  const probe = createServer()
  try {
    await once(probe.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  await new Promise((resolve) => probe.close(resolve))
  return true
}

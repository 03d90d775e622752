// The smallest client of a cluster that is right: it sends one call after the other, asks for no map but goes where it
// is sent, and sends nothing twice that may have been applied. It proves that a topology does what a scenario needs.

import { setTimeout as delay } from 'node:timers/promises'

import { CinnabarError } from 'cinnabar'

import { keySlot } from '../../../__test__/support/slots.mjs'
import { openWire } from '../../../__test__/support/wire.mjs'

/**
 * A client of the cluster whose nodes listen at these ports. `call(key, ...words)` sends one command to the node of the key;
 * `seen` counts the redirections by their name.
 */
export function openClusterClient({ ports, password, timeoutMs = 10_000 }) {
  const wires = new Map()
  const owners = new Map()
  const seen = { MOVED: 0, ASK: 0, TRYAGAIN: 0, CLUSTERDOWN: 0, lost: 0 }

  async function wireTo(port) {
    let opening = wires.get(port)
    if (opening && !(await opening).open) opening = undefined
    if (!opening) {
      opening = openWire({ port, password })
      wires.set(port, opening)
      opening.catch(() => wires.delete(port))
    }
    return opening
  }

  async function call(key, ...words) {
    const slot = keySlot(key)
    let asked
    for (const deadline = performance.now() + timeoutMs; performance.now() < deadline;) {
      const port = asked ?? owners.get(slot) ?? ports[slot % ports.length]
      let wire
      try {
        wire = await wireTo(port)
      } catch {
        // Nothing was sent, so another node may be asked where the slot is.
        seen.lost++
        asked = undefined
        owners.set(slot, ports[Math.floor(Math.random() * ports.length)])
        await delay(10)
        continue
      }
      try {
        return await wire.together(asked ? [['ASKING'], words] : [words]).at(-1)
      } catch (error) {
        const [name, , address] = error.message.split(' ')
        if (error.message === 'the connection was closed') throw maybe(error)
        if (!(name in seen)) throw error
        seen[name]++
        asked = undefined
        if (name === 'MOVED') owners.set(slot, Number(address.split(':')[1]))
        else if (name === 'ASK') asked = Number(address.split(':')[1])
        else await delay(5)
      }
    }
    throw new Error(`no reply to ${words[0]} ${key}`)
  }

  return {
    call,
    seen,
    get: (key) => call(key, 'GET', key),
    set: (key, value) => call(key, 'SET', key, value),
    incr: (key) => call(key, 'INCR', key),
    async close() {
      for (const opening of wires.values()) (await opening.catch(() => undefined))?.close()
    },
  }
}

/** The error of a call that was sent and got no reply. */
const maybe = (cause) => new CinnabarError('sent, without a reply', { code: 'E_MAYBE_APPLIED', cause })

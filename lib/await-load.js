'use strict'

const { whenAborted } = require('./call-limits.js')
const { later, now } = require('./clock.js')
const { CinnabarError } = require('./error.js')
const { keepAlive } = require('./keep-alive.js')
const { recordWait } = require('./load-cycles.js')

/**
 * Resolves to the value of a shared load. A caller with `timeoutMs` waits for the load for that long. Once that much time has passed since
 * `calledAt`, it takes the value as soon as it is loaded, before it is stored. Without it, a caller waits for its own load as long as a load may take; when another
 * caller's load is overdue, it starts a load of its own and takes whichever value arrives first.
 */
function awaitLoad({ signals, timeoutMs }, share, calledAt) {
  return new Promise((resolve, reject) => {
    const [followed, stops, since] = [[], [], now()]
    let ended = false
    let isLate = false
    const end = (settle, value) => {
      if (ended) return
      ended = true
      for (const stop of stops) stop()
      settle(value)
    }
    const fail = (error) => end(reject, error)
    // A value that is loaded but not stored yet is returned.
    const takeLoaded = () => {
      const loaded = followed.find((load) => load.loaded)?.loaded
      if (loaded) end(resolve, loaded.value)
    }
    const giveUp = () => {
      takeLoaded()
      fail(overdueError())
    }
    const becomeLate = () => {
      isLate = true
      takeLoaded()
    }
    const follow = ({ load, isOwn, joinAnother, ownMs }) => {
      followed.push(load)
      stops.push(recordWait(load))
      load.promise.then((value) => end(resolve, value), fail)
      if (timeoutMs !== undefined) {
        stops.push(load.whenLoaded(() => isLate && takeLoaded()))
        return
      }
      const late = (isLast) => {
        if (load.loaded || (isOwn && isLast) || (followed.length > 1 && now() - since > ownMs)) giveUp()
        else if (!isOwn && !isLast) attempt(() => follow(joinAnother()))
      }
      stops.push(load.whenLate(late))
    }
    const attempt = (step) => {
      try {
        step()
      } catch (error) {
        fail(error)
      }
    }
    stops.push(keepAlive(share.owner))
    if (timeoutMs !== undefined) stops.push(later(timeoutMs, giveUp, false))
    stops.push(whenAborted(signals, fail))
    if (!ended) follow(share)
    if (timeoutMs === undefined) return
    const left = timeoutMs - (now() - calledAt)
    if (left > 0) stops.push(later(left, becomeLate, false))
    else becomeLate()
  })
}

function overdueError() {
  const message = 'the load did not finish in time; it continues in the background'
  return new CinnabarError(message, { code: 'E_TIMEOUT', retryable: true })
}

module.exports = { awaitLoad, overdueError }

'use strict'

const watched = new WeakMap()

/**
 * Calls `react` once when the signal aborts; returns a function that cancels this. A signal has one listener, however many
 * callbacks wait for it, and none when there are no callbacks: a signal may outlive millions of calls.
 */
function onAbort(signal, react) {
  let watch = watched.get(signal)
  if (!watch) watched.set(signal, (watch = watchOf(signal)))
  const waiter = { react }
  watch.waiters.add(waiter)
  return () => {
    if (watch.waiters.delete(waiter) && watch.waiters.size === 0) watch.stop()
  }
}

function watchOf(signal) {
  const waiters = new Set()
  const stop = () => {
    signal.removeEventListener('abort', listener)
    if (watched.get(signal)?.waiters === waiters) watched.delete(signal)
  }
  const listener = () => {
    stop()
    for (const { react } of [...waiters]) react()
    waiters.clear()
  }
  signal.addEventListener('abort', listener)
  return { waiters, stop }
}

module.exports = { onAbort }

// What a service says of its circuit breaker.

import { healthCheck } from 'cinnabar'

/** `'closed'`, `'open'` or `'half-open'`: what the process knows, without waiting for the server. */
export const breakerOf = async (service) => (await healthCheck(service, { timeoutMs: 20 })).breaker.state

/** Waits until it is so. */
export const becomes = (t, service, state, withinMs) =>
  t.until(`the breaker is ${state}`, async () => (await breakerOf(service)) === state, { withinMs })

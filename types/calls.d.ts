/**
 * Limits of calls. `with(limits)` applies them to all calls of the object that it returns; methods with options take them for one call.
 *
 * The bound object has the same class. If that is a subclass of your own, its constructor runs again, with an argument that it must
 * pass to `super()`; so private fields exist, with their initial values. All other fields are copied from the original object, except
 * those that the constructor has frozen. That includes functions in fields: an arrow function that uses `this` still calls the original
 * object, without the limits, so write methods instead. If the constructor throws without its own arguments, the object lacks the
 * private fields of the subclass; derive the service instead: `new MySessions(service.with(limits))`.
 *
 * @example
 * await redisService.with({ timeoutMs: 200 }).get('key')
 * await ApiCache.with({ signal: request.signal }).getOrSet('key', load)
 */
export interface CallLimits {
  /**
   * How long each call may wait for the store, time in the queue included, in milliseconds from 1 to 2^31; replaces the service's
   * `timeoutMs`. It also limits how long a caller waits for a `load`, its own or a shared one: after that the caller gets `E_TIMEOUT`,
   * and the load continues. It does not limit the `operation` of `withLock`. A call that exceeds its deadline rejects with `E_NOT_SENT`,
   * `E_TIMEOUT` or `E_MAYBE_APPLIED`.
   */
  timeoutMs?: number
  /**
   * Ends calls early: when it aborts, they reject at once with `E_ABORTED`, whose `cause` is the signal's reason. Requests that have not
   * been sent are cancelled; a write that has been sent may have been applied. Calls made afterwards send nothing.
   */
  signal?: AbortSignal
}

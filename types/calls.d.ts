/**
 * What `.with()` binds calls to. The bound object is of the same class. The constructor of a subclass of your own runs again for it,
 * with a first argument to hand on to `super()`, so that it has its private fields, as they are at first; other fields are those of
 * the object that it came from, but for those that the constructor has frozen. A function in a field is one of them: an arrow function
 * that uses `this` still calls the object that it came from, without the limits, so write methods instead. If that constructor throws
 * without its own arguments, the object has no private fields of the subclass: derive the service instead,
 * `new MySessions(service.with(limits))`.
 *
 * @example
 * await redisService.with({ timeoutMs: 200 }).get('key')
 * await ApiCache.with({ signal: request.signal }).getOrSet('key', load)
 */
export interface CallLimits {
  /**
   * How long each call may wait for the store, time in the queue included, in milliseconds from 1 to 2^31; in place of the
   * service's `timeoutMs`. It also limits how long a caller waits for a `load`, its own or a shared one: after that the caller
   * gets `E_TIMEOUT`, and the load goes on. The time of `operation` is not limited. A call that exceeds its deadline rejects with
   * `E_NOT_SENT`, `E_TIMEOUT` or `E_MAYBE_APPLIED`.
   */
  timeoutMs?: number
  /**
   * Ends calls early: when it aborts, they reject at once with `E_ABORTED`, whose `cause` is the signal's reason. What has not
   * been sent is taken back; a write that has been sent may have been applied. Calls made afterwards send nothing.
   */
  signal?: AbortSignal
}

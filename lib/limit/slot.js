'use strict'

// A slot whose handle was dropped without releasing it would be renewed for as long as the process exists.
const abandoned = new FinalizationRegistry(({ native, number }) => {
  native.releaseSlot(number).catch(() => {})
})

/** A slot under a concurrency limit, or the refusal of one. */
class Slot {
  #native
  #number

  constructor(native, { result, slot }) {
    this.#native = native
    this.#number = slot
    Object.assign(this, result)
    if (slot !== null) abandoned.register(this, { native, number: slot }, this)
  }

  get isTaken() {
    return this.#number !== null && this.#native.hasSlot(this.#number)
  }

  async release() {
    abandoned.unregister(this)
    // One that is not taken any more may have been released with its service, which accepts no calls then.
    if (!this.isTaken) return false
    return this.#native.releaseSlot(this.#number)
  }

  [Symbol.asyncDispose]() {
    return this.release()
  }
}

module.exports = { Slot }

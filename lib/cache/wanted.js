'use strict'

const NONE = Object.freeze([])

/** How a value is to be kept, by what everybody wants who waits for it: with all their tags, for the shortest life. */
class Wanted {
  constructor(ttl, tags = NONE, stale = 0) {
    this.ttl = ttl
    this.tags = tags
    this.stale = stale
  }

  /** As the native side takes it. */
  get options() {
    return { ttl: this.ttl, tags: this.tags, staleWhileRevalidate: this.stale > 0 ? this.stale : undefined }
  }

  /** What both want. */
  and(other) {
    if (!other) return this
    const tags = this.tags.length + other.tags.length > 0 ? [...new Set([...this.tags, ...other.tags])] : NONE
    return new Wanted(Math.min(this.ttl, other.ttl), tags, Math.min(this.stale, other.stale))
  }

  /** What the native side opened for these tags: the mark of the key, and of each tag. */
  leaseOf({ mark, tags }) {
    return { mark, tags: new Map(this.tags.map((tag, at) => [tag, tags[at]])) }
  }

  /** Whether a lease has all these tags. */
  isCovered({ tags }) {
    return this.tags.every((tag) => tags.has(tag))
  }

  /** The marks of the tags, in their order. */
  marksIn({ tags }) {
    return this.tags.map((tag) => tags.get(tag))
  }

  /**
   * Whether a caller that wants this may share a load, as it was called at that moment and has found this lease. It may when
   * nothing that the value depends on can have happened between the load's beginning and the call; the value is then kept as
   * both want. Else the load is nobody's business any more: it fills nothing.
   */
  joins(flight, called, lease) {
    const { wanted } = flight
    if (!flight.loading) {
      flight.wanted = this.and(wanted)
      return true
    }
    const covers = this.tags.every((tag) => wanted.tags.includes(tag))
    if (covers && (flight.begun > called || !lease || isUnchanged(flight.lease, lease))) {
      flight.wanted = wanted.and(this)
      return true
    }
    flight.superseded = true
    return false
  }
}

// A tag that was not asked for was added by somebody who came later, and so has not changed either.
function isUnchanged(before, now) {
  if (before?.mark !== now.mark) return false
  return [...before.tags].every(([tag, mark]) => !now.tags.has(tag) || now.tags.get(tag) === mark)
}

module.exports = { Wanted }

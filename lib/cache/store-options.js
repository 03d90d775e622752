'use strict'

const NO_TAGS = Object.freeze([])
// As many as one value can have.
const MOST_TAGS = 128

/** The options with which a value shared by several callers is stored: the tags of all of them, the shortest ttl. */
class StoreOptions {
  constructor(ttl, tags = NO_TAGS, stale = 0, grace = 0) {
    this.ttl = ttl
    this.tags = tags
    this.stale = stale
    this.grace = grace
  }

  /** In the form that the native side takes. */
  get native() {
    const { ttl, tags, stale, grace } = this
    return { ttl, tags, staleWhileRevalidate: stale || undefined, staleIfError: grace || undefined }
  }

  /** Options that satisfy both, or `undefined` if those would be too many tags for one value. */
  and(other) {
    if (!other) return this
    const tags = this.tags.length + other.tags.length > 0 ? [...new Set([...this.tags, ...other.tags])] : NO_TAGS
    if (tags.length > MOST_TAGS) return undefined
    const [ttl, stale, grace] = ['ttl', 'stale', 'grace'].map((name) => Math.min(this[name], other[name]))
    return new StoreOptions(ttl, tags, stale, grace)
  }

  /** The same with another ttl. */
  withTtl(ttl) {
    return new StoreOptions(ttl, this.tags, this.stale, this.grace)
  }

  /** The same with these tags only. */
  withTags(tags) {
    return new StoreOptions(this.ttl, tags, this.stale, this.grace)
  }

  /** The lease that the native side opened for these tags: the mark of the key with the number of the load, and the mark of each tag. */
  leaseOf({ mark, tags }) {
    return { mark, tags: new Map(this.tags.map((tag, at) => [tag, tags[at]])) }
  }

  /** Whether a lease includes all these tags. */
  isCovered({ tags }) {
    return this.tags.every((tag) => tags.has(tag))
  }

  /** The marks of the tags, in the order of `tags`. */
  marksIn({ tags }) {
    return this.tags.map((tag) => tags.get(tag))
  }

  /**
   * Whether a caller with these options, which called at `calledAt` and read `lease`, may share `load`. It may if nothing the value
   * depends on can have changed between the start of the load and the call; the value is then stored with options that satisfy both.
   * Otherwise the load is superseded: its value is not stored.
   */
  joins(load, calledAt, lease) {
    const { wanted } = load
    if (!load.promise) {
      load.wanted = this.and(wanted) ?? this
      return true
    }
    const covers = this.tags.every((tag) => wanted.tags.includes(tag))
    if (covers && (load.startedAt > calledAt || !lease || isUnchanged(load.lease, lease))) {
      load.wanted = wanted.and(this)
      return true
    }
    load.superseded = true
    return false
  }
}

// A tag missing from the later lease was added by a caller that joined after it was read, so it has not changed either.
function isUnchanged(before, now) {
  if (!before || markOf(before) !== markOf(now)) return false
  return [...before.tags].every(([tag, mark]) => !now.tags.has(tag) || now.tags.get(tag) === mark)
}

// Without the number of the load, which differs from load to load.
function markOf({ mark }) {
  return mark.slice(0, mark.indexOf(':'))
}

module.exports = { MOST_TAGS, StoreOptions }

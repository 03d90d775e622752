'use strict'

// What is nested deeper, or has objects with more names, is parsed anew instead: that is faster, and needs no stack.
const DEEPEST = 200
const MOST_NAMES = 100
// Estimates of V8's memory, in bytes.
const PER_OBJECT = 64
const PER_FIELD = 16

/** What a value of JSON costs to keep, in bytes, and whether copying it is faster than parsing it. */
function copyCost(value) {
  let [bytes, isCopyable] = [0, true]
  const rest = [[value, 0]]
  while (rest.length > 0) {
    const [next, depth] = rest.pop()
    if (typeof next === 'string') bytes += next.length
    if (typeof next !== 'object' || next === null) continue
    const items = Array.isArray(next) ? next : Object.values(next)
    bytes += PER_OBJECT + PER_FIELD * items.length
    if (depth > DEEPEST || (items !== next && items.length > MOST_NAMES)) isCopyable = false
    for (const item of items) if (typeof item === 'object' || typeof item === 'string') rest.push([item, depth + 1])
  }
  return { bytes, isCopyable }
}

module.exports = { copyCost }

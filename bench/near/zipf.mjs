/** Numbers below `keys` by Zipf's law with exponent 1, the same every time. */
export function zipf(keys, length) {
  let [sum, state] = [0, 88_172_645]
  const cumulated = Float64Array.from({ length: keys }, (_, at) => (sum += 1 / (at + 1)))
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return Uint32Array.from({ length }, () => lowest(cumulated, random() * sum))
}

/** The first position with at least this value. */
function lowest(sorted, wanted) {
  let [low, high] = [0, sorted.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < wanted) low = middle + 1
    else high = middle
  }
  return low
}

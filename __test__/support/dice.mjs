/** Random numbers from 0 to 1, repeatable by a text. */
export function dice(text) {
  let state = 2166136261
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

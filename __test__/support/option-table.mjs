// The options that the native side reads.
import { createRequire } from 'node:module'

const { optionTable: rows } = createRequire(import.meta.url)('../../lib/addon.js')

const unlessEmpty = (text) => (text === '' ? undefined : text)

/** `{ taker, path, type, least, most, default }` of each; the last three as text, `>0` for a number that must be above 0. */
export const optionTable = rows().map(([taker, path, type, least, most, byDefault]) => ({
  taker,
  path,
  type,
  least: unlessEmpty(least),
  most: unlessEmpty(most),
  // Words without their quotes, as not every comment has them.
  default: unlessEmpty(byDefault.replaceAll("'", '')),
}))

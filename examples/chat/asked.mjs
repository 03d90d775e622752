// Checks what a window sends, since any program can open a socket and send anything.

/** All rooms; any other name is rejected before it becomes part of a key. */
export const ROOMS = ['lobby', 'workshop', 'garden']

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,23}$/u
const MAX_TEXT = 500

/** An error with a message for people. */
export class Refusal extends Error {}

/** Parses a message, an object with a `type`. */
export function parse(data, isBinary) {
  let asked
  try {
    asked = JSON.parse(isBinary ? '' : String(data))
  } catch {
    throw new Refusal('That is not JSON.')
  }
  if (typeof asked?.type !== 'string') throw new Refusal('A message is an object with a type.')
  return asked
}

/** Checks the name, the room, and the number of the last message that the window has shown. */
export function checkEntry({ name, room, since }) {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new Refusal('A name has up to 24 letters, digits, spaces, dots and dashes.')
  }
  if (!ROOMS.includes(room)) throw new Refusal(`There are these rooms: ${ROOMS.join(', ')}.`)
  if (since !== undefined && !(Number.isSafeInteger(since) && since >= 0)) throw new Refusal('That is not a number.')
  return { name, room, since }
}

/** Checks the text of a message, and the number by which the window recognises the reply. */
export function checkText({ text, id }) {
  if (typeof text !== 'string' || text.trim() === '') throw new Refusal('Say something.')
  if (text.length > MAX_TEXT) throw new Refusal(`A message may have ${MAX_TEXT} characters.`)
  return { text: text.trim(), id: Number.isSafeInteger(id) ? id : 0 }
}

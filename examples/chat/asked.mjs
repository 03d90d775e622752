// What a window may send, checked: whoever can open a socket can send anything.

/** The rooms there are; anything else is refused before a key is made of it. */
export const ROOMS = ['lobby', 'workshop', 'garden']

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,23}$/u
const MAX_TEXT = 500

/** A refusal in words for a person. */
export class Refusal extends Error {}

/** The message as an object that has a type. */
export function parse(data, isBinary) {
  let asked
  try {
    asked = JSON.parse(isBinary ? '' : String(data))
  } catch {
    throw new Refusal('That was no JSON.')
  }
  if (typeof asked?.type !== 'string') throw new Refusal('A message is an object with a type.')
  return asked
}

/** Who wants to enter which room, and the number of the last message they have seen there. */
export function checkEntry({ name, room, since }) {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new Refusal('A name has up to 24 letters, digits, spaces, dots and dashes.')
  }
  if (!ROOMS.includes(room)) throw new Refusal(`There are these rooms: ${ROOMS.join(', ')}.`)
  if (since !== undefined && !(Number.isSafeInteger(since) && since >= 0)) throw new Refusal('That is no number.')
  return { name, room, since }
}

/** What somebody says: text, and a number of their own by which they know the answer. */
export function checkText({ text, id }) {
  if (typeof text !== 'string' || text.trim() === '') throw new Refusal('Say something.')
  if (text.length > MAX_TEXT) throw new Refusal(`A message may have ${MAX_TEXT} characters.`)
  return { text: text.trim(), id: Number.isSafeInteger(id) ? id : 0 }
}

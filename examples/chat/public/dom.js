// Small helpers on the document. Text only ever goes in as text: nothing from outside is read as markup.

export const byId = (id) => document.getElementById(id)

/** Makes an element with text and attributes. */
export function make(tag, text = '', attributes = {}) {
  const element = document.createElement(tag)
  element.textContent = text
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** The first letters of a name on a colour that is always the same for it. */
export function avatar(name, element = make('span', '', { class: 'avatar' })) {
  const hue = [...name.toLowerCase()].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7)
  element.style.setProperty('--hue', hue)
  element.textContent = [...name].slice(0, 2).join('')
  element.setAttribute('aria-hidden', 'true')
  return element
}

/** A time of day as the reader writes it. */
export function clock(date) {
  const element = make('time', date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }))
  element.dateTime = date.toISOString()
  return element
}

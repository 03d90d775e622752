// Small helpers for the document. Text is always inserted as text, never as markup.

export const byId = (id) => document.getElementById(id)

/** Makes an element with text and attributes. */
export function make(tag, text = '', attributes = {}) {
  const element = document.createElement(tag)
  element.textContent = text
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** Fills a description list with names and values, without unknown ones. */
export function facts(list, entries) {
  const known = Object.entries(entries).filter(([, value]) => value !== undefined && value !== null && value !== '')
  list.replaceChildren(...known.flatMap(([name, value]) => [make('dt', name), make('dd', String(value))]))
}

/** Shows an outcome in a card: `good`, `bad` or `plain`. */
export function say(id, text, kind = 'plain') {
  const outcome = byId(id)
  delete outcome.dataset.away
  outcome.dataset.kind = kind
  outcome.textContent = text
}

/** Shows an error in a card. */
export function sayError(id, { message, away }) {
  say(id, message, 'bad')
  // The card shows it too, as long as it lasts.
  if (away) byId(id).dataset.away = 'true'
}

/** Runs on click. The button is disabled meanwhile, and an error is shown in `outcome`. */
export function onClick(id, outcome, action) {
  const button = byId(id)
  button.addEventListener('click', () => run(button, outcome, action))
}

/** Runs on submit. The form is cleared on success. */
export function onSubmit(id, outcome, action) {
  const form = byId(id)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const values = Object.fromEntries(new FormData(form))
    await run(form.querySelector('button'), outcome, async () => {
      await action(values)
      form.reset()
    })
  })
}

async function run(button, outcome, action) {
  // aria-disabled instead of disabled: the button keeps the focus while it waits.
  if (button.getAttribute('aria-disabled') === 'true') return
  button.setAttribute('aria-disabled', 'true')
  try {
    await action()
  } catch (error) {
    sayError(outcome, error)
  } finally {
    button.removeAttribute('aria-disabled')
  }
}

// Shows what is unavailable: in a banner with the time of the next attempt, in the header and in each card, until it is available.
import { check, nextAt, onCheck } from './connection.js'
import { byId, make, say } from './dom.js'

const LIMIT_HELP = 'Requests are allowed without being counted.'

const cards = [...document.querySelectorAll('.card')].map((card) => {
  const words = make('p', '', { class: 'trouble', hidden: '' })
  card.querySelector('header').after(words)
  return { card, words }
})
let ticking

onCheck(({ state, words, help }) => {
  const away = state !== 'none'
  byId('trouble').hidden = !away
  if (byId('trouble-words').textContent !== (words ?? '')) {
    byId('trouble-words').textContent = words ?? ''
    byId('trouble-help').textContent = away ? `${help} This page recovers by itself.` : ''
  }
  document.body.dataset.away = state
  for (const { card, words: line } of cards) {
    card.dataset.state = away ? 'warn' : 'on'
    line.hidden = !away
    const own = state === 'redis' && card.contains(byId('limit-ask')) ? ` ${LIMIT_HELP}` : ''
    line.textContent = away ? `${words} ${help}${own}` : ''
    if (!away) clearOutcome(card)
  }
  clearInterval(ticking)
  if (away) ticking = setInterval(countDown, 200)
  countDown()
})

byId('trouble-now').addEventListener('click', check)
check()

/** Removes an outcome that was a failure because something was unavailable. */
function clearOutcome(card) {
  const outcome = card.querySelector('.outcome')
  if (outcome.dataset.away) say(outcome.id, '')
}

function countDown() {
  const seconds = Math.ceil((nextAt - Date.now()) / 1000)
  byId('trouble-when').textContent = seconds > 0 ? `Trying again in ${seconds} s.` : 'Trying again …'
}

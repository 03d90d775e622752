// The limit card: what is left of the quota, until when, and the headers that say so.
import { api } from './api.js'
import { suspect } from './connection.js'
import { byId, facts, make, onClick, say, sayError } from './dom.js'

const HEADERS = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset', 'Retry-After']
let windowEnd

onClick('limit-ask', 'limit-outcome', async () => {
  try {
    const { body, headers } = await api('GET', '/api/limited')
    show(body, headers)
    // Without its server the limiter lets requests pass rather than stop the whole application.
    if (body.source !== 'fallback') return say('limit-outcome', 'Allowed.', 'good')
    sayError('limit-outcome', { message: 'Allowed without being counted.', away: true })
    suspect()
  } catch (error) {
    if (error.status === 429) show(error.body, error.headers)
    throw error
  }
})

function show({ remaining, limit, resetTime }, headers) {
  quota(remaining, limit)
  facts(byId('limit-headers'), Object.fromEntries(HEADERS.map((name) => [name, headers.get(name)])))
  windowEnd = resetTime
  clearInterval(show.timer)
  show.timer = setInterval(() => countDown(limit), 200)
  countDown(limit)
}

function quota(remaining, limit) {
  const meter = byId('limit-meter')
  meter.setAttribute('aria-valuemax', limit)
  meter.setAttribute('aria-valuenow', remaining)
  meter.dataset.left = remaining
  meter.replaceChildren(
    ...Array.from({ length: limit }, (_, i) => make('span', '', i < remaining ? { class: 'left' } : {})),
  )
  byId('limit-left').textContent = `${remaining} of ${limit} left`
}

function countDown(limit) {
  const seconds = Math.ceil((windowEnd - Date.now()) / 1000)
  if (seconds > 0) {
    byId('limit-window').textContent = `the window ends in ${seconds} s`
    return
  }
  clearInterval(show.timer)
  quota(limit, limit)
  byId('limit-window').textContent = 'a new window begins with the next request'
}

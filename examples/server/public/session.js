// The session card, and the name of the engine, which comes with the first response.
import { api } from './api.js'
import { onCheck } from './connection.js'
import { byId, facts, onClick, onSubmit, say, sayError } from './dom.js'

let wasIn = false
let shown = 0

onSubmit('login', 'session-outcome', async ({ name }) => {
  const { body } = await api('POST', '/api/login', { name })
  show(body)
  say('session-outcome', `Signed in. The session is stored under ${body.key}`, 'good')
  byId('note').focus()
})

onSubmit('note-form', 'session-outcome', async ({ note }) => {
  const { body } = await api('PATCH', '/api/session', { note })
  show(body)
  say('session-outcome', 'Updated: only the note changed, and the ttl was renewed.', 'good')
})

onClick('logout', 'session-outcome', async () => {
  const { body } = await api('POST', '/api/logout')
  show(body)
  say('session-outcome', 'Signed out. The session was deleted.', 'good')
  byId('name').focus()
})

/** Shows a session, or the form to sign in. */
function show({ key, session }) {
  shown++
  wasIn = Boolean(session)
  byId('login').hidden = Boolean(session)
  byId('signed').hidden = !session
  facts(byId('session-facts'), session ? { key, ...session } : {})
}

onCheck(({ state }, before) => {
  const engine = byId('engine')
  if (state === 'none') {
    if (['redis', 'server'].includes(before.state)) refresh()
    return
  }
  engine.dataset.kind = 'bad'
  byId('engine-name').textContent =
    state === 'server' ? "The example's server does not respond" : 'Redis is unreachable'
})

async function refresh() {
  const [before, was] = [shown, wasIn]
  try {
    const { body } = await api('GET', '/api/session')
    byId('engine').dataset.kind = body.engine.embedded ? 'embedded' : 'server'
    byId('engine-name').textContent = body.engine.embedded
      ? 'Embedded engine, in the server’s own process'
      : `Redis server at ${body.engine.host}`
    // Signed in or out in another window meanwhile.
    if (shown !== before) return
    show(body)
    if (!body.session) say('session-outcome', was ? 'The store has lost the session: sign in again.' : 'Not signed in.')
  } catch (error) {
    sayError('session-outcome', error)
  }
}

refresh()

// The session card, and the engine's name that comes with the first answer.
import { api } from './api.js'
import { byId, facts, onClick, onSubmit, say } from './dom.js'

onSubmit('login', 'session-outcome', async ({ name }) => {
  const { body } = await api('POST', '/api/login', { name })
  show(body)
  say('session-outcome', `Signed in. The session lives in the store under ${body.key}`, 'good')
  byId('note').focus()
})

onSubmit('note-form', 'session-outcome', async ({ note }) => {
  const { body } = await api('PATCH', '/api/session', { note })
  show(body)
  say('session-outcome', 'Updated: only the note changed, and its life begins anew.', 'good')
})

onClick('logout', 'session-outcome', async () => {
  const { body } = await api('POST', '/api/logout')
  show(body)
  say('session-outcome', 'Signed out. The session is gone from the store.', 'good')
  byId('name').focus()
})

/** Shows a session, or the form to sign in. */
function show({ key, session }) {
  byId('login').hidden = Boolean(session)
  byId('signed').hidden = !session
  facts(byId('session-facts'), session ? { key, ...session } : {})
}

try {
  const { body } = await api('GET', '/api/session')
  byId('engine').dataset.kind = body.engine.embedded ? 'embedded' : 'server'
  byId('engine-name').textContent = body.engine.embedded
    ? 'Embedded engine, in the server’s own process'
    : `Redis server at ${body.engine.host}`
  show(body)
  if (!body.session) say('session-outcome', 'Nobody is signed in.')
} catch (error) {
  byId('engine').dataset.kind = 'bad'
  byId('engine-name').textContent = 'The engine does not answer'
  say('session-outcome', error.message, 'bad')
}

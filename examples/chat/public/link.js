// The connection of this window: to one of the servers, and to the next when that one is lost.

/** The server sends a heartbeat every 2 s; after this long without one the connection counts as lost. */
const SILENCE_MS = 7000
const FIRST_DELAY_MS = 300
const LONGEST_DELAY_MS = 5000

/**
 * `entry()` returns the first message of each connection. `received(message)` is called with each message of the server, and
 * `changed({ state, words })` for each change: `off`, `connecting`, `on`, `away`, `lost`.
 */
export class Link {
  #entry
  #received
  #changed
  #socket = null
  #servers = [location.origin]
  #attempts = 0
  #retry
  #watch
  #reconnects = true
  #lastMessageAt = 0
  #server = ''

  constructor({ entry, received, changed }) {
    this.#entry = entry
    this.#received = received
    this.#changed = changed
  }

  /** Whether to reconnect automatically. */
  get reconnects() {
    return this.#reconnects
  }

  set reconnects(wanted) {
    this.#reconnects = wanted
    if (this.#state !== 'lost') return
    if (wanted) return this.open()
    clearTimeout(this.#retry)
    this.#become('lost', 'not connected')
  }

  #state = 'off'
  #become(state, words) {
    this.#state = state
    this.#changed({ state, words })
  }

  open() {
    this.#drop()
    this.#attempts = 0
    this.#connect()
  }

  /** Disconnects and stays disconnected. */
  close() {
    this.#drop(1000)
    this.#become('off', 'not connected')
  }

  /** Sends a message; returns whether it could be sent. */
  send(message) {
    if (this.#state !== 'on') return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  #connect() {
    const [server] = this.#servers
    this.#become('connecting', `connecting to ${new URL(server).host}`)
    const socket = new WebSocket(`${server.replace('http', 'ws')}/chat`)
    this.#socket = socket
    this.#lastMessageAt = Date.now()
    this.#watch = setInterval(() => Date.now() - this.#lastMessageAt > SILENCE_MS && this.#lost('no heartbeat'), 1000)
    socket.onopen = () => socket.send(JSON.stringify(this.#entry()))
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data))
    socket.onclose = ({ reason }) => this.#lost(reason)
  }

  #receive(message) {
    this.#lastMessageAt = Date.now()
    if (message.type === 'beat') return this.#setRedis(message.redis)
    if (message.type === 'welcome') this.#learn(message)
    this.#received(message)
    if (message.type === 'entered') {
      this.#attempts = 0
      this.#become('on', `connected to server ${this.#server}`)
    }
  }

  /** Without Redis the connection to the server stays open, but messages are not delivered. */
  #setRedis(redis) {
    if (this.#state === 'on' && !redis) this.#become('away', 'Redis is unreachable, waiting for it')
    else if (this.#state === 'away' && redis) this.#become('on', `connected to server ${this.#server}`)
  }

  /** Remembers the servers, that of this connection first, under the host name of this page. */
  #learn({ server, origins }) {
    this.#server = server
    const here = this.#servers[0]
    const known = origins.filter((origin) => new URL(origin).hostname === location.hostname)
    this.#servers = [here, ...known.filter((origin) => origin !== here)]
  }

  #lost(reason) {
    const was = this.#state
    this.#drop()
    // The lost server is moved to the end, so that the others are tried first.
    this.#servers.push(this.#servers.shift())
    const why = reason ? ` (${reason})` : ''
    const what = was === 'on' || was === 'away' ? `lost server ${this.#server}${why}` : `no connection yet${why}`
    this.#become('lost', this.#reconnects ? `${what}, trying again` : what)
    if (!this.#reconnects) return
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++)
    // Random within the second half, so that the windows of a lost server do not all reconnect at once.
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2))
  }

  #drop(code) {
    clearTimeout(this.#retry)
    clearInterval(this.#watch)
    const socket = this.#socket
    this.#socket = null
    if (!socket) return
    // A server that hangs never confirms the close, so this does not wait for it.
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close(code)
  }
}

// The connection of this window: to one of the servers, and to the next when that one is lost.

/** The server sends a sign of life every 2 s; after this long without any it is as good as dead. */
const SILENCE_MS = 7000
const FIRST_DELAY_MS = 300
const LONGEST_DELAY_MS = 5000

/**
 * `entry()` says with which message to enter, anew at each connection. `heard(message)` gets what the server says, and
 * `changed({ state, words })` each change: `off`, `connecting`, `on`, `away`, `lost`.
 */
export class Link {
  #entry
  #heard
  #changed
  #socket = null
  #servers = [location.origin]
  #attempts = 0
  #retry
  #watch
  #comesBack = true
  #lastWord = 0
  #server = ''

  constructor({ entry, heard, changed }) {
    this.#entry = entry
    this.#heard = heard
    this.#changed = changed
  }

  /** Whether a lost connection is made again without being asked. */
  get comesBack() {
    return this.#comesBack
  }

  set comesBack(wanted) {
    this.#comesBack = wanted
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

  /** Leaves and stays away. */
  close() {
    this.#drop(1000)
    this.#become('off', 'not connected')
  }

  /** Answers whether it could be sent. */
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
    this.#lastWord = Date.now()
    this.#watch = setInterval(() => Date.now() - this.#lastWord > SILENCE_MS && this.#lost('it fell silent'), 1000)
    socket.onopen = () => socket.send(JSON.stringify(this.#entry()))
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data))
    socket.onclose = ({ reason }) => this.#lost(reason)
  }

  #hear(message) {
    this.#lastWord = Date.now()
    if (message.type === 'beat') return this.#look(message.redis)
    if (message.type === 'welcome') this.#learn(message)
    this.#heard(message)
    if (message.type === 'entered') {
      this.#attempts = 0
      this.#become('on', `connected to server ${this.#server}`)
    }
  }

  /** A server without its Redis keeps the connection, but nothing said reaches anybody. */
  #look(redis) {
    if (this.#state === 'on' && !redis) this.#become('away', 'Redis is unreachable, waiting for it')
    else if (this.#state === 'away' && redis) this.#become('on', `connected to server ${this.#server}`)
  }

  /** The servers there are, the one of this connection first. They are named as this page's own address is. */
  #learn({ server, origins }) {
    this.#server = server
    const here = this.#servers[0]
    const known = origins.filter((origin) => new URL(origin).hostname === location.hostname)
    this.#servers = [here, ...known.filter((origin) => origin !== here)]
  }

  #lost(reason) {
    const was = this.#state
    this.#drop()
    // The one that was lost goes to the end: the others are tried first.
    this.#servers.push(this.#servers.shift())
    const why = reason ? ` (${reason})` : ''
    const what = was === 'on' || was === 'away' ? `lost server ${this.#server}${why}` : `no connection yet${why}`
    this.#become('lost', this.#comesBack ? `${what}, trying again` : what)
    if (!this.#comesBack) return
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++)
    // Anywhere in the second half: windows that lost one server do not all come back at once.
    this.#retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2))
  }

  #drop(code) {
    clearTimeout(this.#retry)
    clearInterval(this.#watch)
    const socket = this.#socket
    this.#socket = null
    if (!socket) return
    // A server that hangs never confirms that it closes: nobody waits for that.
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close(code)
  }
}

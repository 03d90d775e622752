/** The load: connections that are kept alive, each with a session of its own and one request under way. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { clock } from '../suite/clock.mjs'
import { Latencies } from '../suite/latencies.mjs'
import { BODY } from './contenders.mjs'
import { serveTasks } from './process.mjs'

const END = Buffer.from(BODY)
const OK = Buffer.from('HTTP/1.1 200 ')

class Connection {
  #socket
  #request
  #received = []
  #done

  static async open(port, user) {
    const response = await fetch(`http://127.0.0.1:${port}/${user}`, { method: 'POST' })
    await response.text()
    const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Connection(socket, cookies)
  }

  constructor(socket, cookies) {
    this.#socket = socket
    const head = ['GET / HTTP/1.1', 'Host: 127.0.0.1', 'Accept: */*', 'User-Agent: bench']
    if (cookies.length > 0) head.push(`Cookie: ${cookies.join('; ')}`)
    this.#request = Buffer.from(`${head.join('\r\n')}\r\n\r\n`)
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('error', (error) => this.#done?.reject(error))
    socket.on('close', () => this.#done?.reject(new Error('the connection was closed')))
  }

  /** Sends the request; resolves when the response is complete. */
  send() {
    return new Promise((resolve, reject) => {
      this.#done = { resolve, reject }
      this.#socket.write(this.#request)
    })
  }

  #read(chunk) {
    this.#received.push(chunk)
    const text = this.#received.length === 1 ? chunk : Buffer.concat(this.#received)
    if (!text.subarray(0, OK.length).equals(OK)) this.#done.reject(new Error(text.toString('latin1').split('\r\n')[0]))
    if (!text.subarray(-END.length).equals(END)) return
    this.#received = []
    this.#done.resolve()
  }
}

let connections

serveTasks({
  async open({ port, count }) {
    connections = []
    for (let n = 0; n < count; n += 1) connections.push(await Connection.open(port, `user${n}`))
  },
  /** Sends for so many milliseconds, or so many requests, over the first `count` connections. */
  async run({ count, ms = Infinity, requests = Infinity }) {
    globalThis.gc()
    const latencies = new Latencies()
    const end = clock() + ms
    let left = requests
    const loop = async (connection) => {
      while (left > 0) {
        left -= 1
        const sentAt = clock()
        if (sentAt >= end) return
        await connection.send()
        latencies.record(clock() - sentAt)
      }
    }
    const startedAt = clock()
    await Promise.all(connections.slice(0, count).map(loop))
    const seconds = (clock() - startedAt) / 1000
    return {
      calls: latencies.count,
      requestsPerSecond: latencies.count / seconds,
      p50Micros: latencies.percentile(0.5),
      p99Micros: latencies.percentile(0.99),
    }
  },
})

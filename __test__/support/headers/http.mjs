// Requests over a socket with whatever bytes as headers: clients of HTTP would refuse to send them.

import { connect } from 'node:net'

/** A connection that sends one request at a time; `send` resolves with `{ status, headers, body }`, or null if the server closed it. */
export function openHttp(port) {
  let socket
  let received = Buffer.alloc(0)
  let settle
  let method

  const open = () => {
    received = Buffer.alloc(0)
    socket = connect({ port, host: '127.0.0.1' })
    socket.on('data', (data) => {
      received = Buffer.concat([received, data])
      const response = responseIn(received, method)
      if (response) finish(response)
    })
    socket.on('error', () => {})
    socket.on('close', () => finish(null))
  }
  const finish = (response) => {
    if (response === null || /^connection: close/im.test(response.headers)) {
      socket?.destroy()
      socket = undefined
    }
    received = Buffer.alloc(0)
    const done = settle
    settle = undefined
    done?.(response)
  }

  return {
    send(request) {
      method = request.method
      return new Promise((resolve) => {
        settle = resolve
        if (!socket) open()
        const own = request.lines.some(([name]) => name.toLowerCase() === 'host') ? [] : [['Host', 'localhost']]
        const lines = [...own, ...request.lines].map(([name, value]) => `${name}: ${value}\r\n`)
        const length = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? '' : 'Content-Length: 0\r\n'
        socket.write(Buffer.from(`${method} / HTTP/1.1\r\n${lines.join('')}${length}\r\n`, request.encoding))
      })
    },
    close: () => socket?.destroy(),
  }
}

function responseIn(bytes, method) {
  const at = bytes.indexOf('\r\n\r\n')
  if (at === -1) return null
  const headers = bytes.subarray(0, at).toString('latin1')
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(headers)[1])
  const length = Number(/^content-length: (\d+)/im.exec(headers)?.[1] ?? 0)
  const isEmpty = method === 'HEAD' || status === 204 || status === 304
  if (!isEmpty && bytes.length < at + 4 + length) return null
  return { status, headers, body: isEmpty ? '' : bytes.subarray(at + 4).toString() }
}

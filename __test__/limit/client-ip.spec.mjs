// Which address a request has, in many set-ups of proxies, with what clients send to be taken for others.
import assert from 'node:assert/strict'
import { createServer, request as httpRequest } from 'node:http'
import { after, describe, test } from 'node:test'

import { addressList, clientIp } from 'cinnabar'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

const PROXIES = ['10.0.0.0/8', '2001:db8:ffff::/48']
const XFF = 'x-forwarded-for'
const forwarded = { header: 'forwarded', trustedProxies: 1 }
const listed = { trustedProxies: PROXIES }

/** What it is; the address of the connection; headers; options; the result. */
const TABLE = [
  // Without proxies.
  ['a direct client', '203.0.113.9', {}, {}, '203.0.113.9'],
  ['a direct client with a header', '203.0.113.9', { [XFF]: '1.1.1.1' }, {}, '203.0.113.9'],
  ['0 proxies', '203.0.113.9', { [XFF]: '1.1.1.1' }, { trustedProxies: 0 }, '203.0.113.9'],
  ['no proxies in the list', '203.0.113.9', { [XFF]: '1.1.1.1' }, { trustedProxies: [] }, '203.0.113.9'],
  [
    'every header that there is',
    '203.0.113.9',
    { 'x-real-ip': '1.1.1.1', forwarded: 'for=1.1.1.1' },
    {},
    '203.0.113.9',
  ],
  ['no address at all', undefined, { [XFF]: '1.1.1.1' }, {}, null],
  ['a connection without an address', '', { [XFF]: '1.1.1.1' }, {}, null],
  ['a connection that is no address', '/run/app.sock', { [XFF]: '1.1.1.1' }, {}, null],
  // By a number.
  ['one proxy', '10.0.0.1', { [XFF]: '203.0.113.9' }, { trustedProxies: 1 }, '203.0.113.9'],
  ['one proxy, spoofed', '10.0.0.1', { [XFF]: '1.1.1.1, 203.0.113.9' }, { trustedProxies: 1 }, '203.0.113.9'],
  [
    'one proxy, spoofed often',
    '10.0.0.1',
    { [XFF]: '1.1.1.1,2.2.2.2,203.0.113.9' },
    { trustedProxies: 1 },
    '203.0.113.9',
  ],
  ['two proxies', '10.0.0.2', { [XFF]: '1.1.1.1, 203.0.113.9, 10.0.0.1' }, { trustedProxies: 2 }, '203.0.113.9'],
  [
    'three proxies',
    '10.0.0.3',
    { [XFF]: '1.1.1.1,203.0.113.9,10.0.0.1,10.0.0.2' },
    { trustedProxies: 3 },
    '203.0.113.9',
  ],
  ['no header though one proxy', '10.0.0.1', {}, { trustedProxies: 1 }, '10.0.0.1'],
  ['an empty header', '10.0.0.1', { [XFF]: '' }, { trustedProxies: 1 }, '10.0.0.1'],
  ['fewer entries than proxies', '10.0.0.2', { [XFF]: '203.0.113.9' }, { trustedProxies: 3 }, '203.0.113.9'],
  ['one proxy by a socket', undefined, { [XFF]: '1.1.1.1, 203.0.113.9' }, { trustedProxies: 1 }, '203.0.113.9'],
  ['no address where the client is', '10.0.0.1', { [XFF]: '1.1.1.1, unknown' }, { trustedProxies: 1 }, '10.0.0.1'],
  ['no address in the middle', '10.0.0.2', { [XFF]: '1.1.1.1, x, 10.0.0.1' }, { trustedProxies: 2 }, '10.0.0.1'],
  ['nothing between commas', '10.0.0.2', { [XFF]: '1.1.1.1,, 10.0.0.1' }, { trustedProxies: 2 }, '10.0.0.1'],
  ['a comma at the end', '10.0.0.2', { [XFF]: '1.1.1.1,' }, { trustedProxies: 1 }, '10.0.0.2'],
  [
    'several lines',
    '10.0.0.2',
    { [XFF]: ['1.1.1.1', '203.0.113.9', '10.0.0.1'] },
    { trustedProxies: 2 },
    '203.0.113.9',
  ],
  [
    'a line of several',
    '10.0.0.2',
    { [XFF]: ['1.1.1.1, 2.2.2.2', '203.0.113.9,10.0.0.1'] },
    { trustedProxies: 2 },
    '203.0.113.9',
  ],
  // By a list.
  ['a listed proxy', '10.0.0.1', { [XFF]: '1.1.1.1, 203.0.113.9' }, listed, '203.0.113.9'],
  ['two of them', '10.0.0.2', { [XFF]: '1.1.1.1, 203.0.113.9, 10.9.9.9' }, listed, '203.0.113.9'],
  ['of both families', '2001:db8:ffff::2', { [XFF]: '1.1.1.1, 203.0.113.9, 10.9.9.9' }, listed, '203.0.113.9'],
  ['past the proxies', '203.0.113.9', { [XFF]: '1.1.1.1, 10.0.0.1' }, listed, '203.0.113.9'],
  ['a client that names proxies', '203.0.113.9', { [XFF]: '10.0.0.1, 10.0.0.2' }, listed, '203.0.113.9'],
  ['a proxy that writes IPv4 within IPv6', '::ffff:10.0.0.1', { [XFF]: '::ffff:203.0.113.9' }, listed, '203.0.113.9'],
  ['the same in hexadecimal', '::ffff:a00:1', { [XFF]: '::ffff:cb00:7109' }, listed, '203.0.113.9'],
  [
    'a list of addresses',
    '10.0.0.1',
    { [XFF]: '1.1.1.1, 203.0.113.9' },
    { trustedProxies: ['10.0.0.1'] },
    '203.0.113.9',
  ],
  [
    'an addressList',
    '10.0.0.1',
    { [XFF]: '1.1.1.1, 203.0.113.9' },
    { trustedProxies: addressList(PROXIES) },
    '203.0.113.9',
  ],
  ['proxies only', '10.0.0.1', { [XFF]: '10.0.0.3, 10.0.0.2' }, listed, '10.0.0.3'],
  ['no address between them', '10.0.0.1', { [XFF]: '1.1.1.1, unknown, 10.0.0.2' }, listed, '10.0.0.2'],
  ['a connection that is not known', undefined, { [XFF]: '1.1.1.1' }, listed, null],
  // How addresses are written.
  ['IPv6', '2001:db8:1:2:3:4:5:6', {}, {}, '2001:db8:1:2::/64'],
  ['IPv6 in capitals', '2001:0DB8:0001:0002:0003:0004:0005:0006', {}, {}, '2001:db8:1:2::/64'],
  ['all of IPv6', '2001:DB8:1:2:0:0:0:6', {}, { ipv6Prefix: 128 }, '2001:db8:1:2::6'],
  ['/56', '2001:db8:1:2ff:3::', {}, { ipv6Prefix: 56 }, '2001:db8:1:200::/56'],
  ['a zone', 'fe80::1:2%eth0', {}, { ipv6Prefix: 128 }, 'fe80::1:2'],
  ['a zone in a header', '10.0.0.1', { [XFF]: '[fe80::1%25eth0]:443' }, listed, 'fe80::/64'],
  ['a port', '10.0.0.1', { [XFF]: '203.0.113.9:50123' }, listed, '203.0.113.9'],
  ['IPv6 with a port', '10.0.0.1', { [XFF]: '[2001:db8::9]:50123' }, listed, '2001:db8::/64'],
  ['IPv6 in brackets', '10.0.0.1', { [XFF]: '[2001:db8::9]' }, listed, '2001:db8::/64'],
  ['tabs', '10.0.0.1', { [XFF]: '1.1.1.1,\t203.0.113.9\t' }, listed, '203.0.113.9'],
  ['an octal number', '10.0.0.1', { [XFF]: '1.1.1.1, 0203.0.113.9' }, listed, '10.0.0.1'],
  ['a short form', '10.0.0.1', { [XFF]: '127.1' }, listed, '10.0.0.1'],
  ['a number', '10.0.0.1', { [XFF]: '2130706433' }, listed, '10.0.0.1'],
  ['a port that is none', '10.0.0.1', { [XFF]: '203.0.113.9:http' }, listed, '10.0.0.1'],
  ['text behind an address', '10.0.0.1', { [XFF]: "203.0.113.9' OR 1=1" }, listed, '10.0.0.1'],
  ['a network', '10.0.0.1', { [XFF]: '203.0.113.9/8' }, listed, '10.0.0.1'],
  // Forwarded.
  ['Forwarded', '10.0.0.1', { forwarded: 'for=203.0.113.9' }, forwarded, '203.0.113.9'],
  [
    'Forwarded with more',
    '10.0.0.1',
    { forwarded: 'for=1.1.1.1, For="203.0.113.9:80";proto=http;by=_p' },
    forwarded,
    '203.0.113.9',
  ],
  [
    'Forwarded IPv6',
    '10.0.0.1',
    { forwarded: 'proto=https;FOR="[2001:db8:cafe::17]:4711"' },
    forwarded,
    '2001:db8:cafe::/64',
  ],
  ['Forwarded with a semicolon at the end', '10.0.0.1', { forwarded: 'for=203.0.113.9;' }, forwarded, '203.0.113.9'],
  ['Forwarded with nothing in between', '10.0.0.1', { forwarded: 'for=203.0.113.9; ;by=x' }, forwarded, '203.0.113.9'],
  ['Forwarded with semicolons only', '10.0.0.1', { forwarded: 'for=1.1.1.1, ;;' }, forwarded, '10.0.0.1'],
  ['Forwarded, escaped', '10.0.0.1', { forwarded: 'for="203\\.0.113.9"' }, forwarded, '203.0.113.9'],
  ['Forwarded, an obfuscated port', '10.0.0.1', { forwarded: 'for="203.0.113.9:_x1"' }, forwarded, '203.0.113.9'],
  ['Forwarded by no address', '10.0.0.1', { forwarded: 'for=1.1.1.1, for=unknown' }, forwarded, '10.0.0.1'],
  ['Forwarded by a name', '10.0.0.1', { forwarded: 'for=1.1.1.1, for=_hidden' }, forwarded, '10.0.0.1'],
  [
    'a quote that is never closed',
    '10.0.0.1',
    { forwarded: 'for="1.1.1.1, for=203.0.113.9' },
    forwarded,
    '203.0.113.9',
  ],
  [
    'a quote that closes in the next',
    '10.0.0.1',
    { forwarded: 'for=1.1.1.1;x=", for="[2001:db8::9]"' },
    forwarded,
    '2001:db8::/64',
  ],
  ['a comma in quotes', '10.0.0.1', { forwarded: 'for=203.0.113.9;by=", for=1.1.1.1"' }, forwarded, '203.0.113.9'],
  ['for twice', '10.0.0.1', { forwarded: 'for=203.0.113.9;for=1.1.1.1' }, forwarded, '10.0.0.1'],
  ['Forwarded, but X-Forwarded-For', '10.0.0.1', { [XFF]: '1.1.1.1' }, forwarded, '10.0.0.1'],
  // Headers with one address.
  [
    'Cloudflare',
    '10.0.0.1',
    { 'cf-connecting-ip': '203.0.113.9', [XFF]: '1.1.1.1' },
    { header: 'CF-Connecting-IP', ...listed },
    '203.0.113.9',
  ],
  [
    'past Cloudflare',
    '203.0.113.9',
    { 'cf-connecting-ip': '1.1.1.1' },
    { header: 'cf-connecting-ip', ...listed },
    '203.0.113.9',
  ],
  [
    'Fly',
    '10.0.0.1',
    { 'fly-client-ip': '2001:db8::9' },
    { header: 'fly-client-ip', trustedProxies: 1 },
    '2001:db8::/64',
  ],
  [
    'X-Real-IP twice',
    '10.0.0.1',
    { 'x-real-ip': '1.1.1.1, 203.0.113.9' },
    { header: 'x-real-ip', trustedProxies: 1 },
    '10.0.0.1',
  ],
  [
    'X-Real-IP without proxies',
    '203.0.113.9',
    { 'x-real-ip': '1.1.1.1' },
    { header: 'x-real-ip', trustedProxies: 0 },
    '203.0.113.9',
  ],
]

const joined = (headers) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]))

/** The kinds of requests, from the address of the connection and headers. */
const KINDS = {
  'fetch request': (remoteAddress, headers) => [
    new Request('http://h/', { headers: joined(headers) }),
    { remoteAddress },
  ],
  headers: (remoteAddress, headers) => [new Headers(joined(headers)), { remoteAddress }],
  'request of Node.js': (remoteAddress, headers) => [{ headers, socket: { remoteAddress } }, {}],
  'request of Fastify': (remoteAddress, headers) => [
    { ip: '9.9.9.9', headers, raw: { headers, socket: { remoteAddress } } },
    {},
  ],
  'request with the info of Deno': (hostname, headers) => [
    new Request('http://h/', { headers: joined(headers) }),
    { remoteAddress: { transport: 'tcp', hostname, port: 1 } },
  ],
  'request with what Bun returns': (address, headers) => [
    new Request('http://h/', { headers: joined(headers) }),
    { remoteAddress: address === undefined ? null : { address, family: 'IPv4', port: 1 } },
  ],
}

test('there are 60 set-ups', () => assert.ok(TABLE.length >= 60, String(TABLE.length)))

for (const [kind, make] of Object.entries(KINDS)) {
  describe(`the address of a ${kind}`, () => {
    for (const [what, address, headers, options, wanted] of TABLE) {
      test(what, () => {
        const [request, more] = make(address, headers)
        assert.equal(clientIp(request, { ...options, ...more }), wanted)
      })
    }
  })
}

describe('in real servers', () => {
  const listening = async (server) => {
    await new Promise((resolve) => (server.listening ? resolve() : server.once('listening', resolve)))
    after(() => server.close())
    return server.address().port
  }
  const SERVERS = {
    'node:http': (seen) =>
      listening(createServer((request, response) => response.end(seen(request))).listen(0, '127.0.0.1')),
    express: (seen) => {
      // Its own setting, which would believe the leftmost entry.
      const app = express().set('trust proxy', true)
      app.get('/', (request, response) => response.send(seen(request)))
      return listening(app.listen(0, '127.0.0.1'))
    },
    async fastify(seen) {
      const app = Fastify({ trustProxy: true })
      app.get('/', async (request) => seen(request))
      after(() => app.close())
      await app.listen({ port: 0, host: '127.0.0.1' })
      return app.server.address().port
    },
  }
  const send = (port, headers) =>
    new Promise((resolve, reject) => {
      const sent = httpRequest({ port, host: '127.0.0.1', headers }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part) => (text += part))
        response.on('end', () => resolve(text))
      })
      sent.on('error', reject).end()
    })
  for (const [name, start] of Object.entries(SERVERS)) {
    test(name, async () => {
      const port = await start((request) =>
        [
          clientIp(request),
          clientIp(request, { trustedProxies: 1 }),
          clientIp(request, { trustedProxies: ['127.0.0.0/8'] }),
        ].join(' '),
      )
      assert.equal(await send(port, {}), '127.0.0.1 127.0.0.1 127.0.0.1')
      const lines = { 'X-Forwarded-For': ['1.1.1.1', '2.2.2.2, 203.0.113.9'] }
      assert.equal(await send(port, lines), '127.0.0.1 203.0.113.9 203.0.113.9')
    })
  }

  test('hono', async () => {
    const app = new Hono()
    app.get('/', (c) => c.text(String(clientIp(c.req, { trustedProxies: 1 }))))
    assert.equal(await (await app.request('/', { headers: { [XFF]: '1.1.1.1, 203.0.113.9' } })).text(), '203.0.113.9')
  })
})

test('nothing that a client sends throws or is returned', () => {
  let state = 12345
  // The low bits of such a generator repeat after a few steps.
  const next = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
  const below = (bound) => Math.floor(next() * bound)
  const parts = [
    '1.1.1.1',
    '1.1.1.1',
    ',',
    ', ',
    '"',
    '\\',
    ';',
    'for=',
    '[',
    ']',
    ':',
    '%',
    'é',
    '\u{1f600}',
    '\ud800',
    '\0',
    '=',
    'unknown',
    '1::1',
    ' ',
  ]
  const names = [XFF, 'forwarded', 'x-real-ip', 'cf-connecting-ip', 'fly-client-ip']
  for (let step = 0; step < 100_000; step++) {
    const text = Array.from({ length: below(10) }, () => parts[below(parts.length)]).join('')
    const name = names[below(names.length)]
    const headers = { [name]: below(4) === 0 ? [text, text] : text, get: text, __proto__: null }
    const request = { headers, socket: { remoteAddress: '203.0.113.9' } }
    assert.equal(clientIp(request), '203.0.113.9')
    assert.equal(clientIp(request, { trustedProxies: PROXIES, header: name }), '203.0.113.9')
    const single = name !== XFF && name !== 'forwarded'
    // What the one proxy appends, or writes instead.
    headers[name] = single ? '198.51.100.7' : [text, name === XFF ? '198.51.100.7' : 'for="198.51.100.7:1"']
    request.socket.remoteAddress = '10.0.0.1'
    assert.equal(clientIp(request, { trustedProxies: 1, header: name }), '198.51.100.7', JSON.stringify(headers))
    assert.equal(clientIp(request, { trustedProxies: PROXIES, header: name }), '198.51.100.7', JSON.stringify(headers))
  }
})

test('what the program got wrong is an error', () => {
  const request = { headers: {}, socket: {} }
  for (const options of [
    { trustedProxies: -1 },
    { trustedProxies: 1.5 },
    { trustedProxies: NaN },
    { trustedProxies: 101 },
    { trustedProxies: true },
    { trustedProxies: '10.0.0.1' },
    { trustedProxies: null },
    { trustedProxies: ['10.0.0.0/33'] },
    { trustedProxies: ['proxy'] },
    { trustedProxies: [1] },
    { trustedProxies: ['0.0.0.0/0'] },
    { trustedProxies: ['10.0.0.1', '::/0'] },
    { trustedProxies: ['::ffff:0:0/96'] },
    { trustedProxies: ['0.0.0.0/1', '128.0.0.0/1'] },
    { trustedProxies: ['::/1', '10.0.0.1', '8000::/1'] },
    { trustedProxies: addressList(['0.0.0.0/0']) },
    { trustedProxies: {} },
    { header: 'forwarded' },
    { header: '', trustedProxies: 1 },
    { header: 'x y', trustedProxies: 1 },
    { header: 1, trustedProxies: 1 },
    { ipv6Prefix: 0 },
    { ipv6Prefix: 129 },
    { ipv6Prefix: '64' },
    { remoteAddress: 1 },
    { remoteAddress: { address: 1 } },
    { proxies: 1 },
    'x',
  ]) {
    assert.throws(() => clientIp(request, options), { code: 'E_INVALID_ARGUMENT' }, JSON.stringify(options))
  }
  assert.throws(() => clientIp(request, { trustedProxies: true }), {
    message: 'trustedProxies must be a number of proxies (0 to 100) or an array of addresses, got a boolean',
  })
  for (const wrong of [undefined, null, '203.0.113.9', 1, {}, { headers: 'x' }]) {
    assert.throws(() => clientIp(wrong), { code: 'E_INVALID_ARGUMENT' })
  }
})

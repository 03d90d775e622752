// One server with a certificate of each kind that people have: what is accepted, what is not, in which words, and the way out.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses, runModule } from '../helpers.mjs'
import { authority } from '../support/certificates.mjs'
import { freePort, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const servers = []

/** A server that shows the certificate in this file. */
async function serverOf({ certFile, keyFile, caFile = certFile }) {
  const pem = readFileSync(certFile, 'utf8')
  const port = await freePort()
  const files = ['--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile]
  // Whether it is ready is asked without TLS: not everybody accepts what it shows.
  servers.push(await startRedis({ args: ['--tls-port', port, ...files, '--tls-auth-clients', 'no'] }))
  return { url: `rediss://localhost:${port}`, pem, fingerprint: new X509Certificate(pem).fingerprint256 }
}

/** What `openssl req -x509` and `openssl x509 -req` make with these arguments. */
function made(...args) {
  const folder = temporaryFolder('certificate')
  const [certFile, keyFile] = ['crt', 'key'].map((name) => join(folder, name))
  const openssl = (...words) => execFileSync('openssl', words, { stdio: 'ignore', cwd: folder })
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile]
  if (args.includes('old')) {
    openssl('req', '-new', ...key, '-subj', '/CN=localhost', '-out', 'csr')
    openssl('x509', '-req', '-in', 'csr', '-signkey', keyFile, '-days', '9', '-out', certFile)
  } else {
    openssl('req', '-x509', ...key, '-days', '9', '-subj', '/CN=localhost', '-out', certFile, ...args)
  }
  return { certFile, keyFile }
}

async function ask(url, tls) {
  const service = new RedisService({ url, tls, log: false, timeoutMs: 3000 })
  try {
    return await service.set('key', 'value')
  } finally {
    await service.disconnect()
  }
}

after(() => Promise.all(servers.map((server) => server.stop())))

const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']

describe('a self-signed certificate', () => {
  test('is accepted as tls.ca, under its own name only', async () => {
    const { url, pem } = await serverOf(made(...names))
    assert.equal(await ask(url, { ca: pem }), 'OK')
    await refuses(
      ask(url, { ca: pem, servername: 'other.example' }),
      'E_UNAVAILABLE',
      /is for another host name.*tls\.servername/,
    )
  })

  test('is refused without, in words that say what to do', async () => {
    const { url, fingerprint } = await serverOf(made(...names))
    const error = await refuses(ask(url, true), 'E_UNAVAILABLE', /the server's certificate .*tls\.ca/)
    assert.ok(error.message.includes(fingerprint), error.message)
    assert.doesNotMatch(error.message, /CaUsed|UnknownIssuer|webpki|Other\(/)
  })
})

const kinds = {
  'self-signed': [made(...names), /tls\.ca/],
  'with a common name alone': [
    made('-addext', 'basicConstraints=critical,CA:FALSE'),
    /only a common name|not signed by a trusted CA|is a CA certificate/,
  ],
  'of version 1': [made('old'), /version 1|only a common name|is a CA certificate/],
}
for (const [kind, [files, words]] of Object.entries(kinds)) {
  test(`a certificate ${kind} is refused in plain words, and accepted by its fingerprint`, async () => {
    const { url, pem, fingerprint } = await serverOf(files)
    for (const tls of [true, { ca: (await authority('Another')).ca }]) {
      const error = await refuses(ask(url, tls), 'E_UNAVAILABLE', /^cannot connect to .*the server's certificate /)
      assert.doesNotMatch(error.message, /CaUsed|UnsupportedCert|BadEncoding|webpki|Other\(/)
      assert.ok(error.message.includes(fingerprint), error.message)
    }
    const own = await ask(url, { ca: pem }).catch((error) => error)
    if (own !== 'OK') assert.match(own.message, words)
    assert.equal(await ask(url, { fingerprint }), 'OK')
    assert.equal(await ask(url, { fingerprint: fingerprint.replaceAll(':', '').toLowerCase() }), 'OK')
    assert.equal(await ask(url, { fingerprint: ['00'.repeat(32), fingerprint] }), 'OK')
    assert.equal(await ask(url, { rejectUnauthorized: false }), 'OK')
    await refuses(ask(url, { fingerprint: [], rejectUnauthorized: false }), 'E_INVALID_SETTINGS', /at least one/)
    await refuses(ask(url, { fingerprint: '00'.repeat(32) }), 'E_UNAVAILABLE', /does not match tls\.fingerprint/)
    await refuses(ask(url, { fingerprint: '00'.repeat(32), rejectUnauthorized: false }), 'E_UNAVAILABLE', /fingerprint/)
  })
}

test('an expired certificate says so, and its fingerprint is accepted', async () => {
  const ours = await authority('Ours')
  const files = await ours.sign('expired', { expired: true })
  const { url, fingerprint } = await serverOf({ ...files, caFile: ours.caFile })
  await refuses(ask(url, { ca: ours.ca }), 'E_UNAVAILABLE', /has expired/)
  assert.equal(await ask(url, { fingerprint }), 'OK')
})

test('a fingerprint that is none, and a flag that is none, are refused', () => {
  for (const fingerprint of ['', 'AB:CD', 'x'.repeat(64), 7, ['AB']]) {
    assert.throws(() => new RedisService({ url: 'rediss://a', tls: { fingerprint } }), { code: 'E_INVALID_SETTINGS' })
  }
  assert.throws(() => new RedisService({ url: 'rediss://a', tls: { rejectUnauthorized: 'no' } }), {
    code: 'E_INVALID_SETTINGS',
  })
})

test('a certificate that is not looked at is one loud warning', async () => {
  const { err, status } = await runModule(`
    import { RedisService } from 'cinnabar'
    for (let i = 0; i < 3; i++) new RedisService({ url: 'rediss://a', tls: { rejectUnauthorized: false } })
    new RedisService({ url: 'rediss://a', tls: { rejectUnauthorized: true } })
  `)
  assert.equal(status, 0, err)
  assert.equal(err.match(/NOT VERIFIED/g)?.length, 1, err)
})

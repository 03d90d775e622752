// What `cinnabar doctor` says of certificates, and of plain connections to a port with TLS.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { authority } from '../support/certificates.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { examine, finding } from './support.mjs'

describe('TLS', () => {
  let ours, server
  before(async () => {
    ours = await authority('Ours')
    server = await tlsServer(await ours.sign('good'))
  })
  after(() => server.stop())

  async function tlsServer(files) {
    const port = await freePort()
    const certificate = ['--tls-cert-file', files.certFile, '--tls-key-file', files.keyFile]
    const args = ['--tls-port', port, ...certificate, '--tls-ca-cert-file', ours.caFile, '--tls-auth-clients', 'no']
    // Whether it is ready is asked without TLS.
    const started = await startRedis({ args })
    return Object.assign(started, { tlsPort: port })
  }

  test('with a certificate that no known authority has signed, and with its authority', async () => {
    const url = `rediss://localhost:${server.tlsPort}`
    const { code, report } = await examine([url])
    assert.equal(code, 1)
    assert.match(finding(report, 'certificate-untrusted', 'error').remedy, /tls\.ca/)
    const trusted = await examine([url, '--ca', ours.caFile])
    assert.equal(trusted.code, 0, JSON.stringify(trusted.report))
    assert.match(trusted.report.findings.find(({ check }) => check === 'login').found, /with TLS/)
  })

  test('is expected of a plain connection', async () => {
    const { code, report } = await examine([`redis://127.0.0.1:${server.tlsPort}`])
    assert.equal(code, 1)
    assert.match(finding(report, 'plain-to-tls', 'error').remedy, /rediss:\/\/ in place of redis:\/\//)
  })

  for (const [what, options, code, words] of [
    ['that has expired', { expired: true }, 'certificate-expired', /renew/],
    ['for another name', { names: ['DNS:other.example'] }, 'certificate-name', /tls\.servername/],
  ]) {
    test(`with a certificate ${what}`, async () => {
      const other = await tlsServer(await ours.sign(code, options))
      const { code: exit, report } = await examine([`rediss://localhost:${other.tlsPort}`, '--ca', ours.caFile])
      assert.equal(exit, 1)
      assert.match(finding(report, code, 'error').remedy, words)
      await other.stop()
    })
  }
})

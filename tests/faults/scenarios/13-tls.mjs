// TLS whose certificate is untrusted, expired, for another name, or missing on our side, or whose handshake stalls: each says which it
// is, in time, without a secret, and it heals once the server has a good one.

import { authority } from '../../../__test__/support/certificates.mjs'
import { freePort } from '../../../__test__/support/processes.mjs'
import { startRedis } from '../../../__test__/support/redis.mjs'
import { startProxy } from '../proxy.mjs'
import { scenario } from '../scenario.mjs'

export default scenario(
  { number: 13, name: 'TLS', engine: 'none', tls: true, short: true, limitMs: 90_000 },
  async (t) => {
    const ours = await authority()
    const { ca } = ours
    const others = (await authority('Another')).ca
    const good = await ours.sign('good')
    const expired = await ours.sign('expired', { expired: true })
    const elsewhere = await ours.sign('elsewhere', { names: ['DNS:redis.internal'] })
    const client = await ours.sign('client', { uses: ['clientAuth'] })
    const stranger = await (await authority('Stranger')).sign('stranger', { uses: ['clientAuth'] })
    const port = await freePort()
    const files = (pair) => ['tls-cert-file', pair.certFile, 'tls-key-file', pair.keyFile]
    const tlsArgs = ['tls-port', port, 'tls-auth-clients', 'no', 'tls-ca-cert-file', ours.caFile, ...files(good)]
    const server = await startRedis({ args: tlsArgs.map((arg, i) => (i % 2 ? arg : `--${arg}`)) })
    const present = (pair) => server.command('CONFIG', 'SET', ...files(pair))
    const wantClients = (word) => server.command('CONFIG', 'SET', 'tls-auth-clients', word)
    t.proxy = await startProxy({ target: port, seed: t.seed, raw: true })
    const url = `rediss://127.0.0.1:${t.proxy.port}`
    const open = (tls, more = {}) =>
      t.service({ connect: false, url, timeoutMs: 1000, connectTimeoutMs: 500, tls, ...more })

    const refused = async (name, service, said) => {
      const error = await t.fails(service, name, () => service.get('k'), ['E_UNAVAILABLE', 'E_NOT_SENT'])
      t.check(said.test(error?.message), `${name}: it does not say why: ${error?.message}`)
      t.check(!/PRIVATE KEY|BEGIN/.test(`${error?.message} ${error?.cause}`), `${name}: a key is in the message`)
      t.note(`${name}: ${error?.message}`)
      return service
    }
    const works = (name, service) =>
      t
        .call(service, name, () => service.set('k', name), { right: (value) => value === 'OK', timeoutMs: 1000 })
        .then(({ error }) => t.check(!error, `${name}: ${error?.code}: ${error?.message}`))

    t.begin()

    await works('our own authority', await open({ ca }))
    await works('a name given', await open({ ca, servername: 'localhost' }))
    await refused('system roots only', await open(true), /issuer|authority|trust/i)
    await refused('another authority', await open({ ca: others }), /issuer|authority|trust|signature/i)

    await present(expired)
    const healing = await refused('expired', await open({ ca }, { db: 1 }), /expired/i)
    await present(elsewhere)
    await refused('another name', await open({ ca }, { db: 2 }), /name/i)
    await works('that name given', await open({ ca, servername: 'redis.internal' }))
    await t.heal(() => present(good))
    await t.healed(healing)

    await wantClients('yes')
    await refused('no client certificate', await open({ ca }, { db: 3 }), /certificate/i)
    await works('a client certificate', await open({ ca, cert: client.cert, key: client.key }))
    await refused(
      "a stranger's certificate",
      await open({ ca, cert: stranger.cert, key: stranger.key }),
      /certificate|authority|unknown/i,
    )
    await wantClients('no')

    await t.proxy.acceptSilent()
    const stalled = await refused(
      'a handshake that stalls',
      await open({ ca }, { db: 4 }),
      /no reply within|handshake/i,
    )
    await t.heal()
    await t.healed(stalled)

    // One side speaks TLS and the other does not.
    const plain = await startProxy({ target: server.port, seed: t.seed, raw: true })
    await refused(
      'no TLS there',
      await open({ ca }, { url: `rediss://127.0.0.1:${plain.port}` }),
      /no reply within|TLS|handshake|message/i,
    )
    await refused(
      'TLS there',
      await open(undefined, { url: `redis://127.0.0.1:${t.proxy.port}` }),
      /closed the connection.*TLS.*rediss/,
    )
    await plain.close()
    await server.kill()
  },
)

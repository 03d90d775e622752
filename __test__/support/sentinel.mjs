// A primary with replicas and the sentinels that watch over it, as real processes.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { program } from '../../scripts/system.mjs'
import { background, end, freePort, ready, temporaryFolder } from './processes.mjs'
import { listening, redisCommand, startRedis } from './redis.mjs'
import { replicated } from './replication.mjs'
import { wasClosed } from './wire.mjs'

/** Sentinels end all connections of a server that changes its role. What tests ask it is asked again: all of it is idempotent. */
function askedAgain(server) {
  const once = server.command
  const wasCut = (error) => wasClosed(error) && awake(server)
  server.command = (...words) =>
    once(...words).catch((error) => (wasCut(error) ? once(...words) : Promise.reject(error)))
  return server
}

/**
 * Starts one primary, its replicas and the sentinels, and resolves when each sentinel knows of all the others and of every
 * replica.
 *
 * - `name`: what the sentinels call the primary.
 * - `password`: asked by the servers. `sentinelPassword`: asked by the sentinels.
 * - `tls`: see `startRedis`; all of them speak nothing else.
 * - `downAfterMs`: how long the primary must be silent before a sentinel takes it for dead.
 * - `leaders`: how many of the sentinels may lead a fail-over; all by default. Two that begin at the same moment may promote two
 *   replicas, one after the other, and what the first of those has replied is lost with it, by the servers.
 * - `failoverTimeoutMs`: how long a fail-over may take before another one is begun.
 */
export async function startSentinels({
  name = 'mymaster',
  replicas = 2,
  sentinels: count = 3,
  password,
  sentinelPassword,
  tls,
  downAfterMs = 1000,
  failoverTimeoutMs = 5000,
  leaders = count,
  args = [],
} = {}) {
  const settings = [
    ...(password ? ['--requirepass', password, '--masterauth', password] : []),
    ...['--repl-diskless-sync-delay', 0, '--repl-ping-replica-period', 1],
    ...args,
  ]
  const first = await startRedis({ password, tls, args: settings })
  const following = ['--replicaof', '127.0.0.1', first.port]
  const others = Array.from({ length: replicas }, () =>
    startRedis({ password, tls, args: [...settings, ...following] }),
  )
  const servers = [first, ...(await Promise.all(others))].map(askedAgain)
  await replicated(first, servers.slice(1))
  const quorum = Math.floor(count / 2) + 1
  const watch = { name, port: first.port, password, sentinelPassword, tls, quorum, downAfterMs, failoverTimeoutMs }
  // Who never sees enough others agree still votes for those who do.
  const watchOf = (n) => (n < leaders ? watch : { ...watch, quorum: NEVER })
  const sentinels = await Promise.all(Array.from({ length: count }, (_, n) => startSentinel(watchOf(n))))

  const group = {
    name,
    servers,
    sentinels,
    password,
    sentinelPassword,
    get url() {
      return group.urlOf(sentinels)
    },
    /** The URL with these sentinels. */
    urlOf: (list) =>
      sentinelUrl(
        list.map(({ port }) => port),
        { name, password, tls },
      ),

    /** The server that most sentinels call the primary. */
    async primary() {
      const votes = new Map()
      for (const sentinel of sentinels.filter(awake)) {
        const port = await sentinel.primaryPort().catch(() => undefined)
        if (port) votes.set(port, (votes.get(port) ?? 0) + 1)
      }
      const [port] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? []
      return servers.find((server) => server.port === port)
    },
    /** The servers that say that they follow another. */
    async replicas() {
      const roles = await Promise.all(
        servers.map(async (server) => awake(server) && (await server.command('ROLE'))[0] === 'slave'),
      )
      return servers.filter((_, index) => roles[index])
    },
    /** A planned fail-over. Resolves to the new primary when every sentinel names it. */
    async failover() {
      const before = await group.primary()
      await sentinels.find(awake).command('SENTINEL', 'FAILOVER', name)
      return group.replaced(before)
    },
    /** Waits until every sentinel that can be asked names another primary than this one; returns it. */
    async replaced(before) {
      let next
      await until('every sentinel names another primary', async () => {
        const ports = await Promise.all(sentinels.filter(awake).map((sentinel) => sentinel.primaryPort()))
        next = servers.find((server) => server.port === ports[0])
        return next !== before && ports.every((port) => port === ports[0])
      })
      return next
    },
    /** Waits until every replica has all that the primary has. */
    async replicated() {
      const primary = await group.primary()
      await replicated(
        primary,
        servers.filter((server) => awake(server) && server !== primary),
      )
    },
    /** Waits until all running servers follow the primary, have all that it has, and each sentinel knows all that runs. */
    async ready() {
      await until('the sentinels know all', async () => {
        const primary = await group.primary()
        if (!primary || !awake(primary)) return false
        const roles = await Promise.all(servers.filter(awake).map((server) => server.command('ROLE')))
        if (roles.filter(([role, , port]) => role === 'slave' && port === primary.port).length < roles.length - 1)
          return false
        const views = await Promise.all(sentinels.filter(awake).map((sentinel) => sentinel.view()))
        return views.every((view) => view.replicas >= replicas && view.sentinels >= sentinels.filter(awake).length - 1)
      })
      await group.replicated()
    },
    /**
     * Ends a sentinel and starts it again with what it knew, by default on a port that is unknown to others. Resolves when
     * it responds.
     */
    async restartSentinel(sentinel, { port } = {}) {
      await sentinel.restart(port ?? (await freePort()))
      return sentinel
    },
    /**
     * A sentinel that takes `server` for the primary and never hears otherwise: the servers do not let it listen to the other
     * sentinels. What a sentinel that was cut off reports to its clients.
     */
    async startStaleSentinel(server) {
      const blind = { username: `blind-${sentinels.length}`, password: randomUUID() }
      const rights = ['on', `>${blind.password}`, '+ping', '+info', '+role', '+client|setname']
      // Its rights over commands are not enough: a sentinel that may publish announces its own address to the others.
      for (const each of servers.filter(awake))
        await each.command('ACL', 'SETUSER', blind.username, 'resetchannels', ...rights)
      const stale = await startSentinel({ ...watch, ...blind, port: server.port, quorum: NEVER })
      group.stale.push(stale)
      return stale
    },
    stale: [],
    async close() {
      await Promise.all([...sentinels, ...group.stale, ...servers].map((each) => each.kill()))
    },
  }
  await group.ready()
  return group
}

/** More than there are sentinels. */
const NEVER = 9

const awake = (process) => process.running && !process.paused

/** A URL for sentinels at these ports of the loopback interface; the password is the servers'. */
export function sentinelUrl(ports, { name = 'mymaster', username = '', password, tls } = {}) {
  const login = password ? `${username}:${password}@` : ''
  return `${tls ? 'rediss' : 'redis'}-sentinel://${login}${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${name}`
}

async function startSentinel({ name, port: primary, username, password, sentinelPassword, tls, quorum, ...times }) {
  const folder = temporaryFolder('sentinel')
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `dir ${folder}`,
    `sentinel monitor ${name} 127.0.0.1 ${primary} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${times.downAfterMs}`,
    `sentinel failover-timeout ${name} ${times.failoverTimeoutMs}`,
    ...(username ? [`sentinel auth-user ${name} ${username}`] : []),
    ...(password ? [`sentinel auth-pass ${name} ${password}`] : []),
    ...(sentinelPassword ? [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`] : []),
  ]
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))

  let child
  const sentinel = {
    port: await freePort(),
    paused: false,
    get running() {
      return child !== undefined
    },
    log: () => child?.log() ?? '',
    async start() {
      if (child) return
      const binary = program('redis-server', 'valkey-server')
      const args = [file, '--sentinel', ...listening(sentinel.port, tls)]
      child = background(binary, args.map(String), { log: join(folder, 'log') })
      await ready(child, 'the sentinel', () => sentinel.command('PING'))
      // Sentinels speak to each other every 2 s; until the first time they do not know of each other.
      const sooner = sentinel.command('SENTINEL', 'DEBUG', 'PUBLISH-PERIOD', '200', 'INFO-PERIOD', '1000')
      // Before Redis 7 they take their time.
      await sooner.catch((error) => assert.match(error.message, /^ERR Unknown (sentinel )?subcommand/i))
    },
    async kill() {
      await end(child, 'SIGKILL')
      child = undefined
      sentinel.paused = false
    },
    async stop() {
      await end(child, 'SIGTERM')
      child = undefined
    },
    pause() {
      sentinel.paused = true
      child.kill('SIGSTOP')
    },
    resume() {
      sentinel.paused = false
      child.kill('SIGCONT')
    },
    async restart(port = sentinel.port) {
      await sentinel.stop()
      sentinel.port = port
      await sentinel.start()
    },
    command: (...args) => redisCommand({ port: sentinel.port, password: sentinelPassword, tls }, ...args),
    /** The port of the server that it calls the primary. */
    async primaryPort() {
      const address = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)
      return address ? Number(address[1]) : undefined
    },
    /** How many replicas and other sentinels it knows. */
    async view() {
      const fields = await sentinel.command('SENTINEL', 'MASTER', name)
      const of = (field) => Number(fields[fields.indexOf(field) + 1])
      return { replicas: of('num-slaves'), sentinels: of('num-other-sentinels') }
    },
  }
  await sentinel.start()
  return sentinel
}

async function until(what, ask, seconds = 30) {
  const deadline = performance.now() + seconds * 1000
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await delay(20)
  }
}

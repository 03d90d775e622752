'use strict'

// What the server says of itself: which one it is, its role, how full it is, and how many clients it has.

const { numberOf, parseInfo } = require('../health/info.js')

const OLDEST = [6, 2]
const NEARLY_FULL = 0.9
const NEARLY_ALL_CLIENTS = 0.8

/** Which server it is: `{ product, version }`. The compatible ones give a version of Redis too. */
function identify(info) {
  for (const [product, field] of [
    ['Valkey', 'valkey_version'],
    ['Dragonfly', 'dragonfly_version'],
    ['Garnet', 'garnet_version'],
  ]) {
    if (info.has(field)) return { product, version: info.get(field) }
  }
  const isKeyDb = info.has('mvcc_depth') || /keydb/.test(info.get('executable') ?? '')
  return { product: isKeyDb ? 'KeyDB' : 'Redis', version: info.get('redis_version') ?? null }
}

function checkVersion(report, text) {
  const info = parseInfo(text)
  const { product, version } = (report.server = identify(info))
  const modules = [...text.matchAll(/^module:name=([^,\r]+)/gm)].map(([, name]) => name)
  const beside = modules.length > 0 ? `, modules ${modules.join(' ')}` : ''
  const name = `${product} ${version ?? 'of unknown version'}${beside}`
  const compatible = info.get('redis_version')
  if (compatible && isOlder(compatible)) {
    report.error(
      'server',
      'version',
      `${name} is older than Redis ${OLDEST.join('.')}`,
      'update the server: commands that cinnabar needs are missing',
    )
  } else if (product === 'KeyDB' || product === 'Garnet') {
    report.note('server', 'untested', `${name}, on which cinnabar is not tested`, 'Redis 6.2 or newer and Valkey are')
  } else if (product === 'Dragonfly') {
    report.note(
      'server',
      'undeclared-keys',
      `${name}, which rejects scripts with undeclared keys`,
      'see docs/access.md for what queues need there',
    )
  } else {
    report.ok('server', name)
  }
}

function isOlder(version) {
  const [major, minor] = version.split('.').map(Number)
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])
}

function checkLoading(report, info) {
  if (info.get('loading') !== '1' && info.get('async_loading') !== '1') return
  const percent = Math.floor(numberOf(info, 'loading_loaded_perc') ?? 0)
  report.error('server', 'loading', `the server is loading its data (${percent} %)`, 'wait until it has')
}

function checkMemory(report, info) {
  const [used, most] = [numberOf(info, 'used_memory'), numberOf(info, 'maxmemory')]
  if (used === null || most === null) return
  if (most === 0) {
    report.note(
      'memory',
      'memory-unlimited',
      `${megabytes(used)} are used, without a limit`,
      'set maxmemory below what the machine has, or the system may end the server when memory runs out',
    )
  } else if (used / most >= NEARLY_FULL) {
    const found = `${megabytes(used)} of ${megabytes(most)} are used (${Math.round((100 * used) / most)} %)`
    report.warning(
      'memory',
      'memory-full',
      found,
      'raise maxmemory, or find what fills it (redis-cli --bigkeys): then writes fail or keys are evicted',
    )
  } else {
    report.ok('memory', `${megabytes(used)} of ${megabytes(most)} are used`)
  }
}

function megabytes(bytes) {
  return `${Math.round(bytes / 1e5) / 10} MB`
}

function checkClients(report, info) {
  const [clients, most] = [numberOf(info, 'connected_clients'), numberOf(info, 'maxclients')]
  if (clients === null || most === null) return
  const found = `${clients} of at most ${most} clients are connected`
  if (clients / most < NEARLY_ALL_CLIENTS) report.ok('clients', found)
  else
    report.warning('clients', 'clients', found, 'close unused ones (CLIENT LIST), lower poolSize, or raise maxclients')
}

function checkPersistence(report, info, use) {
  if (info.get('rdb_last_bgsave_status') === 'err' || info.get('aof_last_write_status') === 'err') {
    report.error(
      'persistence',
      'persistence-fails',
      'the server cannot save its data, and may reject writes (MISCONF)',
      'free the disk or correct its rights; the log of the server says why',
    )
  } else if (use.has('queues') && info.get('aof_enabled') === '0') {
    report.note(
      'persistence',
      'persistence-off',
      'the server keeps no append-only file, so jobs are lost if it fails',
      'set appendonly yes',
    )
  }
}

module.exports = { checkClients, checkLoading, checkMemory, checkPersistence, checkVersion, identify }

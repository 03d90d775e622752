'use strict'

// Whether the server has the role and the mode that the settings expect of it.

const { numberOf, parseInfo } = require('../health/info.js')

const SLOTS = 16384

/** Checks a server by its INFO. `readCluster()` resolves to its `CLUSTER INFO`. */
async function checkTopology(report, { topology }, info, readCluster) {
  if (info.has('sentinel_masters')) {
    report.error(
      'topology',
      'is-a-sentinel',
      'the server is a sentinel, which stores nothing',
      'write redis-sentinel:// in place of redis://, with the name of the primary: redis-sentinel://host:26379/mymaster',
    )
    return
  }
  checkRole(report, topology, info)
  if (info.get('cluster_enabled') === '1') await checkCluster(report, topology, parseInfo(await readCluster()))
}

function checkRole(report, topology, info) {
  const isReplica = info.get('role') === 'slave'
  // In a cluster, calls go to the primaries whatever node was named.
  if (topology === 'cluster' || info.get('cluster_enabled') === '1') return
  if (!isReplica) {
    report.ok('topology', `the server is a primary${replicas(info)}`)
    return
  }
  const primary = `${info.get('master_host')}:${info.get('master_port')}`
  if (info.get('slave_read_only') !== '0') {
    report.error(
      'topology',
      'replica',
      `the server is a read-only replica of ${primary}: writes are rejected (READONLY)`,
      `connect to the primary, ${primary}, or by redis-sentinel:// if it may change`,
    )
  } else {
    report.warning(
      'topology',
      'replica-writable',
      `the server is a replica of ${primary}, which overwrites what is written here`,
      `connect to the primary, ${primary}`,
    )
  }
  if (info.get('master_link_status') === 'down') {
    report.warning(
      'topology',
      'primary-down',
      'the replica has lost its primary, so its data may be stale',
      `start ${primary}, or connect to what is the primary now`,
    )
  }
}

function replicas(info) {
  const count = Number(info.get('connected_slaves') ?? 0)
  return count > 0 ? ` with ${count} replica${count === 1 ? '' : 's'}` : ''
}

async function checkCluster(report, topology, cluster) {
  const [assigned, nodes] = [numberOf(cluster, 'cluster_slots_assigned'), numberOf(cluster, 'cluster_known_nodes')]
  const failing = (numberOf(cluster, 'cluster_slots_fail') ?? 0) + (numberOf(cluster, 'cluster_slots_pfail') ?? 0)
  if (topology !== 'cluster') {
    const level = nodes > 1 ? 'error' : 'warning'
    const found = `the server is a node of a cluster (${nodes} known), but the URL names a single server`
    report[level](
      'topology',
      'is-a-cluster',
      found,
      'write redis-cluster:// in place of redis:// (rediss-cluster:// with TLS)',
    )
  }
  if (assigned < SLOTS) {
    const found = `${SLOTS - assigned} of ${SLOTS} slots have no owner, so calls on their keys fail`
    report.error('topology', 'cluster-slots', found, 'assign them: redis-cli --cluster fix, or CLUSTER ADDSLOTSRANGE')
  } else if (failing > 0 || cluster.get('cluster_state') !== 'ok') {
    const found = `${failing} of ${SLOTS} slots are on nodes that do not respond (cluster_state ${cluster.get('cluster_state')})`
    report.error(
      'topology',
      'cluster-fails',
      found,
      'start those nodes (CLUSTER NODES shows them), or fail over to their replicas',
    )
  } else {
    report.ok(
      'topology',
      `all slots of the cluster are served, by ${numberOf(cluster, 'cluster_size')} of ${nodes} nodes`,
    )
  }
}

module.exports = { checkTopology }

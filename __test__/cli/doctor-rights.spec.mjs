// What `cinnabar doctor` says of users who lack permissions.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { root } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { PASSWORD, codesOf, examine, finding } from './support.mjs'

const { features } = createRequire(import.meta.url)('../../lib/doctor/features.js')

describe('a user', () => {
  let server
  const access = readFileSync(join(root, 'docs/access.md'), 'utf8')
  const url = (name) => server.url.replace('redis://', `redis://${name}:${PASSWORD}@`)
  const user = (name, ...rules) => server.command('ACL', 'SETUSER', name, 'reset', 'on', `>${PASSWORD}`, ...rules)
  before(async () => (server = await startRedis()))
  after(() => server.stop())

  test('needs what the table of docs/access.md says', () => {
    const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, code]) => code.split(' '))
    const rows = [...access.matchAll(/^\| ((?!feature|every)[a-z][a-z -]*?) +\|([^|]*)\|([^|]*)\|([^|]*)\|$/gm)]
    assert.deepEqual(
      features.map(({ name, prefixes, channels, commands }) => [name, prefixes, channels, commands]),
      rows.map(([, name, ...cells]) => {
        const [keys, channels, commands] = cells.map(words)
        const beginnings = (patterns) => patterns.map((pattern) => pattern.replace(/\*$/, ''))
        return [name.replace(' ', '-'), beginnings(keys), beginnings(channels), commands]
      }),
    )
  })

  test('without rights for a feature that is named', async () => {
    await user('ann', '~session:*', '~lock:*', '&*', '+@all', '-zadd', '-info')
    const { code, report } = await examine([url('ann'), '--features', 'locks'])
    assert.equal(code, 1)
    const { found, remedy } = finding(report, 'rights', 'error')
    assert.match(found, /for locks: commands zadd$/)
    assert.match(remedy, /\+zadd/)
    assert.match(finding(report, 'not-allowed', 'note').remedy, /\+info/)
  })

  test('without rights for features of which nothing is known', async () => {
    await user('bea', '~api:*', '&*', '+@all')
    const { code, report } = await examine([url('bea')])
    assert.equal(code, 0)
    assert.match(finding(report, 'rights-unused', 'note').found, /sessions.*locks.*queues/)
    await user('cid', '~nothing', '+@all')
    assert.ok(finding((await examine([url('cid')])).report, 'rights-none', 'warning').remedy)
  })

  test('without keys, and without channels', async () => {
    await user('dan', 'allchannels', '+@all')
    const keys = await examine([url('dan'), '--features', 'queues'])
    assert.equal(keys.code, 1)
    assert.match(finding(keys.report, 'rights', 'error').remedy, /'~queue:\*'/)
    await user('eva', 'allkeys', 'resetchannels', '+@all')
    const channels = await examine([url('eva'), '--features', 'rooms'])
    assert.equal(channels.code, 0)
    assert.match(finding(channels.report, 'rights', 'warning').remedy, /'&room:\*'/)
    await user('eve', 'allkeys', 'allchannels', '+@all', '-publish')
    const messages = await examine([url('eve'), '--features', 'rooms'])
    assert.equal(messages.code, 0)
    assert.match(finding(messages.report, 'rights', 'warning').found, /commands publish$/)
  })

  test('who may run no scripts is asked about by ACL DRYRUN, or by commands that change nothing', async () => {
    for (const [name, rule] of [
      ['fay', '+acl'],
      ['gil', '-acl'],
    ]) {
      await user(name, 'allkeys', 'allchannels', '+@all', '-eval', '-zadd', rule)
      const { code, report } = await examine([url(name), '--features', 'locks,rooms'])
      assert.equal(code, 1)
      const [locks, rooms] = report.findings.filter(({ code }) => code === 'rights')
      assert.match(locks.found, /for locks: commands eval zadd$/)
      assert.match(rooms.found, /for rooms: commands eval zadd$/)
      const unknown = report.findings.find(({ code }) => code === 'rights-unknown')
      // Before Redis 7 there is no ACL DRYRUN.
      if (rule === '-acl' || report.server.version.startsWith('6.')) assert.match(unknown.found, /lpush sadd subscribe/)
      else assert.equal(unknown, undefined)
    }
    // Each command of each feature.
    const { report } = await examine([url('gil')])
    assert.match(
      finding(report, 'rights-unused', 'note').found,
      /^the user may not use sessions, express-session, better-auth, cache, /,
    )
    assert.doesNotMatch(finding(report, 'rights-unused', 'note').found, /keyv|unstorage|health/)
    assert.equal(await server.command('DBSIZE'), 0)
  })

  test('who has the rights of the page lacks nothing', async () => {
    const rules = access.match(/redis-cli ACL SETUSER web on [^]*?\n```/)[0].match(/[~&+][\w:*|-]+/g)
    await user('web', 'resetkeys', 'resetchannels', '-@all', ...rules)
    const { code, report } = await examine([url('web'), '--features', 'sessions,cache'])
    assert.equal(code, 0)
    for (const code of ['rights', 'rights-none', 'rights-unused']) assert.ok(!codesOf(report).includes(code), code)
  })
})

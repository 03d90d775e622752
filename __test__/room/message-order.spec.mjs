import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { startRoomProcess } from '../support/rooms.mjs'

const SENDERS = 4
const EACH = 2500
const servers = []

after(() => Promise.all(servers.map((server) => server.kill())))

async function start(args) {
  const server = await startRedis({ args })
  servers.push(server)
  const processes = await Promise.all(Array.from({ length: SENDERS + 3 }, () => startRoomProcess(server.url)))
  return { server, senders: processes.slice(0, SENDERS), listeners: processes.slice(SENDERS) }
}

/** All senders send, and each listens to all of it as well; returns what became of the messages. */
async function sendAll({ senders, listeners }, meanwhile = async () => {}, bytes = 0) {
  await Promise.all([...senders, ...listeners].map((one) => one.ask('listen', 'all', 'room')))
  const sending = senders.map((one, i) => one.ask('send', 'room', `s${i}`, EACH, 16, bytes))
  await meanwhile()
  const outcomes = {}
  for (const of of await Promise.all(sending)) {
    for (const [outcome, count] of Object.entries(of)) outcomes[outcome] = (outcomes[outcome] ?? 0) + count
  }
  // The last word, which everybody has to hear: not before the one who says it has its server back.
  await until('the server responds', () =>
    senders[0].ask('users', 'room').then(
      () => true,
      () => false,
    ),
  )
  assert.deepEqual(await senders[0].ask('send', 'room', 'end', 1, 1), { sent: 1 })
  return outcomes
}

/** What each has heard, once all have heard the last word. */
async function heardBy(processes, name = 'all') {
  await until(
    'all have heard the last',
    async () => {
      const lists = await Promise.all(processes.map((one) => one.ask('heard', name)))
      return lists.every((list) => list.at(-1)?.[1] === 'end:0')
    },
    60,
  )
  return Promise.all(processes.map((one) => one.ask('heard', name)))
}

/**
 * Checks that numbers follow each other, each once, and that each that is missing was reported where it is missing. Returns how
 * many were missed by number, and how many gaps had no number.
 */
function check(list) {
  let [last, missed, unknown, gap] = [undefined, 0, 0, 0]
  for (const [seq, what] of list) {
    if (what === undefined) {
      if (seq === 'unknown') unknown++
      else missed += seq
      gap = seq === 'unknown' || gap === 'unknown' ? 'unknown' : gap + seq
      continue
    }
    if (last !== undefined) {
      if (gap === 'unknown') assert.ok(seq > last, `${seq} after ${last}`)
      else assert.equal(seq, last + 1 + gap, `after ${last}`)
    }
    ;[last, gap] = [seq, 0]
  }
  return { missed, unknown }
}

/** Checks that all have heard the same under the same number. */
function same(lists) {
  const said = new Map()
  for (const [seq, what] of lists.flat()) {
    if (what === undefined) continue
    assert.equal(said.get(seq) ?? what, what, `number ${seq}`)
    said.set(seq, what)
  }
  assert.equal(new Set(said.values()).size, said.size, 'no message twice')
  return said
}

describe('10,000 messages from four processes', () => {
  test('come to all in one order, each once', async (context) => {
    const all = await start([])
    const outcomes = await sendAll(all)
    assert.deepEqual(outcomes, { sent: SENDERS * EACH })
    const lists = await heardBy([...all.senders, ...all.listeners])
    for (const list of lists) assert.deepEqual(check(list), { missed: 0, unknown: 0 })
    for (const list of lists) assert.equal(list.length, SENDERS * EACH + 1)
    same(lists)
    context.diagnostic(`${lists.length} listeners heard ${lists[0].length} messages each, none missed`)
  })

  test('come to all in one order, each once or reported missing, though the server is killed and comes back', async (context) => {
    // It writes before it replies. When it also syncs once a second, it puts writes off while the disk is busy.
    const all = await start(['--appendonly', 'yes', '--appendfsync', 'no'])
    const outcomes = await sendAll(all, async () => {
      for (let kills = 0; kills < 2; kills++) {
        await sleep(250)
        await all.server.kill()
        await sleep(150)
        await all.server.start()
      }
    })
    const lists = await heardBy([...all.senders, ...all.listeners])
    const gaps = lists.map(check)
    same(lists)
    for (const [i, list] of lists.entries()) {
      const heard = list.filter(([, what]) => what !== undefined).length
      const all = heard + gaps[i].missed
      if (gaps[i].unknown === 0) assert.ok(all >= outcomes.sent + 1, 'whatever was acknowledged has a number')
    }
    context.diagnostic(`sent: ${JSON.stringify(outcomes)}; reported missing: ${JSON.stringify(gaps)}`)
  })

  test('come to all in one order, each once or reported missing, though the server loses its memory', async (context) => {
    const all = await start([])
    const heard = (one) => one.ask('heard', 'all')
    const outcomes = await sendAll(all, async () => {
      await until('all have heard some', async () => {
        const lists = await Promise.all([...all.senders, ...all.listeners].map(heard))
        return lists.every((list) => list.length > 0)
      })
      await all.server.kill()
      await sleep(150)
      await all.server.start()
    })
    const lists = await heardBy([...all.senders, ...all.listeners])
    const gaps = lists.map(check)
    same(lists)
    for (const { unknown } of gaps) assert.ok(unknown >= 1, 'what is lost with the memory is reported')
    context.diagnostic(`sent: ${JSON.stringify(outcomes)}; reported missing: ${JSON.stringify(gaps)}`)
  })

  test('come to one that slept in one order, each once or reported missing, and no other waits for it', async (context) => {
    // So that the server gives up a subscriber that takes nothing, as it does after a while.
    const all = await start(['--client-output-buffer-limit', 'pubsub', '4mb', '0', '0'])
    const [sleeper, ...others] = all.listeners
    const fallAsleep = async () => {
      await sleep(100)
      sleeper.sleep()
    }
    // More than the systems between keep for it.
    const outcomes = await sendAll(all, fallAsleep, 3000)
    assert.deepEqual(outcomes, { sent: SENDERS * EACH })
    for (const list of await heardBy([...all.senders, ...others])) {
      assert.deepEqual(check(list), { missed: 0, unknown: 0 })
      assert.equal(list.length, SENDERS * EACH + 1)
    }
    sleeper.wake()
    const lists = await heardBy([sleeper, ...others])
    same(lists)
    const { missed, unknown } = check(lists[0])
    assert.equal(unknown, 0)
    const heard = lists[0].filter(([, what]) => what !== undefined).length
    assert.equal(heard + missed, SENDERS * EACH + 1)
    assert.ok(missed > 0, 'it slept through more than is kept')
    context.diagnostic(`it heard ${heard} and was notified of ${missed} missing`)
  })

  test('are replayed from a number on, while more are sent', async () => {
    const all = await start([])
    await sendAll(all)
    const [list] = await heardBy([all.senders[0]])
    const since = list.at(-50)[0]
    const sending = all.senders[1].ask('send', 'room', 'more', 30, 4)
    await Promise.all(all.listeners.map((one) => one.ask('listen', 'again', 'room', since)))
    await sending
    await all.senders[0].ask('send', 'room', 'end', 1, 1)
    for (const again of await heardBy(all.listeners, 'again')) {
      assert.deepEqual(check(again), { missed: 0, unknown: 0 })
      assert.deepEqual(again.slice(0, 49), list.slice(-49))
      assert.equal(again.length, 49 + 30 + 1)
    }
  })
})

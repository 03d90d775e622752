import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { has } from '../support/server-features.mjs'
import { repeated } from '../../tests/faults/log.mjs'
import { Frames, Requests } from '../../tests/faults/proxy/frames.mjs'
import { randomFrom } from '../../tests/faults/proxy/random.mjs'
import { runScenario, scenarios } from '../../tests/faults/suite.mjs'

// `npm run faults` runs all of them, with chance; here it is the same every time.
const seed = 1

// Two at a time: most of what they do is to wait.
describe('faults', { concurrency: 2 }, async () => {
  const all = await scenarios({ short: true })
  for (const one of all.filter(({ tls }) => !tls || has.tls)) {
    test(`${one.number} ${one.name}`, { timeout: one.limitMs + 10_000 }, async () => {
      const row = await runScenario(one, { seed, short: true })
      assert.ok(row.ok, `${row.verdict}\n${row.reasons.join('\n')}\n${row.notes.join('\n')}\n${row.said}`)
    })
  }
})

describe('what judges the faults', () => {
  const run = async (name) => {
    const file = fileURLToPath(new URL(`../../tests/faults/samples/${name}.mjs`, import.meta.url))
    const { default: about } = await import(pathToFileURL(file).href)
    return runScenario({ ...about, file })
  }

  test('a crash and a hang are rows that say so', async () => {
    const [crash, hang] = await Promise.all([run('crash'), run('hang')])
    assert.equal(crash.verdict, 'CRASHED (SIGSEGV)')
    assert.equal(hang.verdict, 'HUNG')
  })

  test('wrong results, late and lost promises, failures without a code, memory and lag are all noticed', async () => {
    const row = await run('bad')
    assert.equal(row.verdict, 'FAILED')
    assert.deepEqual([row.calls, row.wrong, row.unsettled], [5, 1, 2])
    const said = row.reasons.join('\n')
    for (const what of [
      /the wrong one: returned "?theirs/,
      /the late one settled \d+ ms after its deadline/,
      /the lost one never settled/,
      /the odd one failed without a code/,
      /event loop was .* ms late/,
      /MB more memory than before/,
    ]) {
      assert.match(said, what)
    }
    assert.doesNotMatch(said, /the right one/)
  })

  test('a line that is said twice without a change between is noticed', () => {
    const events = (...types) => types.map((type) => ({ type, target: 'here' }))
    assert.deepEqual(repeated(events('connected', 'lost', 'down', 'connected', 'breaker-open', 'lost')), [])
    assert.equal(repeated(events('connected', 'lost', 'breaker-open', 'lost')).length, 1)
    assert.deepEqual(repeated([...events('lost'), { type: 'lost', target: 'there' }]), [])
  })

  test('frames are found wherever the stream is cut', () => {
    const replies = [
      '+OK\r\n',
      '$5\r\n\r\n*1x\r\n',
      '*2\r\n$-1\r\n*1\r\n:1\r\n',
      '*0\r\n',
      '>2\r\n+a\r\n+b\r\n',
      '%1\r\n+k\r\n_\r\n',
    ]
    const requests = [
      '*1\r\n$4\r\nPING\r\n',
      '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n',
      '*2\r\n$4\r\nINCR\r\n$1\r\nc\r\n',
    ]
    const random = randomFrom(seed)
    for (let round = 0; round < 200; round++) {
      const pieces = (frames, splitter) => {
        const bytes = Buffer.from(frames.join(''))
        const parts = []
        for (let at = 0; at < bytes.length;) {
          const next = at + 1 + Math.floor(random() * 6)
          parts.push(...splitter.push(bytes.subarray(at, next)))
          at = next
        }
        return parts
      }
      const seen = []
      for (const part of pieces(replies, new Frames())) {
        if (part.starts) seen.push('')
        seen[seen.length - 1] += part.bytes.toString()
      }
      assert.deepEqual(seen, replies)
      const asked = pieces(requests, new Requests())
      assert.deepEqual(
        asked.map((part) => part.bytes.toString()),
        requests,
      )
      assert.deepEqual(
        asked.map((part) => part.words.join(' ')),
        ['PING', 'SET k', 'INCR c'],
      )
    }
  })
})

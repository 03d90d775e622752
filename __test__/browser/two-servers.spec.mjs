// The example as two servers on one Redis: what one invalidates, the other no longer has in its memory.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { startRedis } from '../support/redis.mjs'
import { loadProfile, shows, signIn, startBrowser, startExample } from './support.mjs'

const NEAR = /^in memory of server/
const GONE = /^not in memory of server/
let browser, redis, example

before(async () => {
  ;[browser, redis] = await Promise.all([startBrowser(), startRedis()])
  example = await startExample({ REDIS_URL: redis.url })
})

after(async () => {
  await browser.close()
  await redis.stop()
})

/** Loads the profile until the page says that its server has it in memory. */
async function loadUntilNear(page) {
  for (let load = 0; load < 10; load++) {
    await page.click('#profile-load')
    if (await page.locator('#cache-result', { hasText: 'near' }).isVisible()) break
  }
  await shows(page, '#cache-near-words', NEAR)
}

test('a tag that is invalidated in one window ends the near copy of the other server at once', async () => {
  const context = await browser.newContext()
  const one = await context.newPage()
  await one.goto(example.url)
  await shows(one, '#live', 'live')
  await signIn(one, 'ada')
  await shows(one, '#cache-near-words', 'not in memory of server 1')
  // The other server knows the session, too.
  const [two] = await Promise.all([context.waitForEvent('page'), one.click('#cache-other')])
  await shows(two, '#cache-near-words', 'not in memory of server 2')
  assert.notEqual(new URL(two.url()).port, new URL(one.url()).port)

  await loadProfile(one, 'load')
  await loadUntilNear(one)
  await loadUntilNear(two)
  const gone = shows(one, '#cache-near-words', GONE).then(() => performance.now())
  const clickedAt = performance.now()
  await two.click('#profile-invalidate')
  const ms = (await gone) - clickedAt
  assert.ok(ms < 5000, `seen ${ms} ms after the click`)
  await loadProfile(one, 'load')
  assert.match(await two.locator('#cache-other').textContent(), /open server 1/)
  await context.close()
})

test('both stop with Ctrl-C, and the second one with the first', async () => {
  const second = /second server\s+(\S+)/.exec(example.output())[1]
  assert.equal((await fetch(second)).status, 200)
  assert.equal(await example.stop(), 0)
  assert.match(example.output(), /Stopped/)
  await assert.rejects(fetch(second))
  const other = await startExample({ REDIS_URL: redis.url })
  await other.kill()
  const address = /second server\s+(\S+)/.exec(other.output())[1]
  const isGone = () =>
    fetch(address).then(
      () => false,
      () => true,
    )
  const end = performance.now() + 10_000
  while (!(await isGone())) assert.ok(performance.now() < end, 'the second server outlives the first')
})

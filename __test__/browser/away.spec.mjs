// The example's page in a real browser while Redis or the example's own server is away, and when it is back.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { loadProfile, openPage, shows, signIn, startBrowser, startExample } from './support.mjs'

describe('the page while something is away', { timeout: 180_000 }, () => {
  const cleanUp = []
  let redis, example, port, browser, ada

  const start = () => startExample({ PORT: String(port), REDIS_URL: redis.url })
  before(async () => {
    redis = await startRedis()
    cleanUp.push(() => redis.stop())
    port = await freePort()
    example = await start()
    cleanUp.push(async () => assert.equal(await example.stop(), 0, example.output()))
    browser = await startBrowser()
    cleanUp.push(() => browser.close())
    ada = await openPage(browser, example.url)
  })
  after(async () => {
    for (const step of cleanUp.reverse()) await step()
  })

  /** The banner, the header and every card say what is away and what to do, on any screen, and nothing raw is left. */
  async function saysAway(page, engine, words, help) {
    await shows(page, '#trouble-words', words)
    await shows(page, '#trouble-help', help)
    await shows(page, '#trouble-when', /Trying again in \d s\.|Trying again …/)
    await shows(page, '#engine[data-kind=bad]', engine)
    await shows(page, '#live[data-state=warn]', 'not live')
    await shows(page, '#lock-state', 'not known')
    const cards = page.locator('main .card')
    const count = await cards.count()
    assert.equal(count, 7)
    for (let n = 0; n < count; n++) {
      const said = await cards.nth(n).locator('.trouble').textContent()
      assert.match(said, words)
      assert.match(said, help)
      assert.equal(await cards.nth(n).getAttribute('data-state'), 'warn')
    }
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 })
      const { scrollWidth, clientWidth } = await page
        .locator('html')
        .evaluate(({ scrollWidth, clientWidth }) => ({ scrollWidth, clientWidth }))
      assert.equal(scrollWidth, clientWidth, `the page is wider than a screen of ${width}`)
    }
    assert.doesNotMatch(await page.locator('body').innerText(), /\b50\d\b|[{}]|E_[A-Z]/)
  }

  async function isWell(page) {
    await page.locator('#trouble').waitFor({ state: 'hidden' })
    await shows(page, '#engine[data-kind=server]', `Redis server at 127.0.0.1:${redis.port}`)
    await shows(page, '#live[data-state=on]', 'live')
    await shows(page, '#lock-state', 'free')
    await shows(page, '#health-status', 'healthy')
    assert.equal(await page.locator('main .card[data-state=on]').count(), 7)
    assert.equal(await page.locator('main .card .trouble:visible').count(), 0)
    assert.equal(await page.locator('.outcome[data-kind=bad]:not(:empty)').count(), 0)
  }

  const REDIS = /^Redis is unreachable: .+ 127\.0\.0\.1:\d+.*\./
  const CHECK_REDIS = /Check that Redis is running there\./
  const SERVER = /The example's server does not respond\./
  const START_SERVER = /Start it again with npm start\./

  test('says that Redis was killed, and goes on with the next one', async () => {
    await signIn(ada, 'Ada')
    await ada.click('#room-join')
    await shows(ada, '#room-users', 'Ada')
    await redis.kill()
    for (const button of ['#profile-load', '#counter-add', '#limit-ask', '#jobs-add', '#room-join', '#health-check'])
      await ada.click(button)
    await saysAway(ada, 'Redis is unreachable', REDIS, CHECK_REDIS)
    await redis.start()
    await isWell(ada)
    // This one is empty.
    await shows(ada, '#session-outcome', 'Signed out: the session was ended on another device, or the store lost it.')
    await shows(ada, '#room-users', 'no users yet')
    await signIn(ada, 'Ada')
    await loadProfile(ada, 'load')
    await ada.click('#room-join')
    await shows(ada, '#room-users', 'Ada')
  })

  test('notices by itself that Redis hangs, and that it goes on', async () => {
    await redis.whilePaused(() => saysAway(ada, 'Redis is unreachable', /^Redis is unreachable: .+\./, CHECK_REDIS))
    await isWell(ada)
    await shows(ada, '#session-facts', 'Ada')
    await forgetAndLoad(ada)
  })

  test('says that the example itself has stopped, and goes on when it is started again', async () => {
    assert.equal(await example.stop(), 0, example.output())
    await saysAway(ada, "The example's server does not respond", SERVER, START_SERVER)
    await ada.click('#profile-load')
    await ada.click('#logout')
    await saysAway(ada, "The example's server does not respond", SERVER, START_SERVER)
    example = await start()
    await isWell(ada)
    await shows(ada, '#session-facts', 'Ada')
    await forgetAndLoad(ada)
  })

  test('distinguishes both when the example stops while Redis is away', async () => {
    await redis.kill()
    await saysAway(ada, 'Redis is unreachable', REDIS, CHECK_REDIS)
    assert.equal(await example.stop(), 0, example.output())
    await saysAway(ada, "The example's server does not respond", SERVER, START_SERVER)
    example = await start()
    await saysAway(ada, 'Redis is unreachable', REDIS, CHECK_REDIS)
    await redis.start()
    await isWell(ada)
  })

  test('comes to life when it was opened while Redis was away', async () => {
    await redis.kill()
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(example.url)
    await saysAway(page, 'Redis is unreachable', REDIS, CHECK_REDIS)
    await redis.start()
    await isWell(page)
    await page.click('#counter-add')
    await shows(page, '#lock-outcome', 'Added one under the lock: 1.')
    await context.close()
  })
})

async function forgetAndLoad(page) {
  await page.click('#profile-invalidate')
  await shows(page, '#cache-outcome', /^Invalidated/)
  await loadProfile(page, 'load')
}

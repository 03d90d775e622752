// The picture of the README: the example's page, after a visitor has clicked through it.
//
//   node scripts/picture.mjs     writes examples/server/page.png

import { join } from 'node:path'

import { loadProfile, openPage, shows, signIn, startBrowser, startExample } from '../__test__/browser/support.mjs'
import { startRedis } from '../__test__/support/redis.mjs'
import { main, root } from './run.mjs'

await main(async () => {
  const redis = await startRedis()
  const example = await startExample({ REDIS_URL: redis.url })
  const browser = await startBrowser()
  try {
    const [ada, grace] = [await openPage(browser, example.url), await openPage(browser, example.url)]
    for (const [page, name] of [
      [ada, 'Ada'],
      [grace, 'Grace'],
    ]) {
      await signIn(page, name)
      await page.click('#room-join')
    }
    await shows(ada, '#room-users', /^AdaGrace$/)
    for (const [page, text] of [
      [grace, 'Is the report ready?'],
      [ada, 'In a minute: it is a job.'],
    ]) {
      await page.fill('#message', text)
      await page.click('#say button')
      await shows(ada, '#room-messages', text)
    }
    await loadProfile(ada, 'load')
    await loadProfile(ada, 'hit')
    await ada.click('#counter-add')
    await ada.click('#jobs-add')
    await shows(ada, '#jobs-list', 'done')
    for (let request = 0; request < 3; request++) await ada.click('#limit-ask')
    await ada.click('#health-check')
    await shows(ada, '#health-status', 'healthy')
    await ada.evaluate(() => window.scrollTo(0, 0))
    await ada.mouse.move(0, 0)
    await ada.setViewportSize({ width: 1360, height: 985 })
    await ada.screenshot({ path: join(root, 'examples/server/page.png') })
  } finally {
    await browser.close()
    await example.stop()
    await redis.stop()
  }
})

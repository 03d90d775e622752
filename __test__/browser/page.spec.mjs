// The example's page in a real browser, on both engines: a person clicks through all of it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'
import { loadProfile, openPage, shows, signIn, startBrowser, startExample } from './support.mjs'

const ENGINES = [
  { name: 'embedded', start: async () => ({ env: {}, words: /Embedded engine/, terminal: /embedded/, stop() {} }) },
  {
    name: 'redis',
    async start() {
      const redis = await startRedis()
      const { host } = new URL(redis.url)
      return {
        env: { REDIS_URL: redis.url },
        words: `Redis server at ${host}`,
        terminal: new RegExp(`Redis server at ${host}`),
        stop: () => redis.stop(),
      }
    },
  },
]

// Time enough for what a person sees of a lock, a quota and a job, on a busy machine too.
const WINDOW_SECONDS = 60
const PATIENT = { WINDOW_SECONDS, HOLD_MS: 8000, STEP_MS: 200 }

for (const { name, start } of ENGINES) {
  describe(`the page on the ${name} engine`, { timeout: 180_000 }, () => {
    const cleanUp = []
    let engine, example, browser, ada, grace

    before(async () => {
      engine = await start()
      cleanUp.push(() => engine.stop())
      example = await startExample({ ...engine.env, ...PATIENT })
      cleanUp.push(async () => assert.equal(await example.stop(), 0, example.output()))
      browser = await startBrowser()
      cleanUp.push(() => browser.close())
      ada = await openPage(browser, example.url)
      grace = await openPage(browser, example.url)
    })

    after(async () => {
      for (const step of cleanUp.reverse()) await step()
    })

    test('says which engine it runs on, on the page and on the terminal', async () => {
      await shows(ada, '#engine', engine.words)
      assert.match(example.output(), engine.terminal)
    })

    test('says in words that no user is signed in', async () => {
      await ada.click('#profile-load')
      await shows(ada, '#cache-outcome', 'Sign in first')
    })

    test('signs in with a session in the store and a cookie that scripts cannot read', async () => {
      await signIn(ada, 'Ada')
      await shows(ada, '#session-facts', /userId.*ada.*name.*Ada/)
      await shows(ada, '#devices', /^Chrome on Linux.*this one/)
      const cookies = await ada.context().cookies()
      assert.deepEqual(
        cookies.map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite })),
        [{ httpOnly: true, sameSite: 'Lax' }],
      )
      await ada.reload()
      await shows(ada, '#session-facts', 'Ada')
    })

    test('changes the session and shows the change', async () => {
      await ada.fill('#note', 'likes red')
      await ada.click('#note-form button')
      await shows(ada, '#session-facts', 'likes red')
    })

    test('loads the profile slowly once, then from the cache, then from memory, and slowly again when it was forgotten', async () => {
      const first = await loadProfile(ada, 'load')
      const second = await loadProfile(ada, 'hit')
      assert.ok(first >= 590, `the source takes 600 ms, the load took ${first}`)
      assert.ok(second < 590, `the hit took ${second} ms, as if the source had been asked`)
      // The first read that found it, and the one before which it is kept near.
      await until('it is near', async () => {
        await ada.click('#profile-load')
        await shows(ada, '#cache-outcome', /^(Hit|Near):/)
        return (await ada.textContent('#cache-result')) === 'near'
      })
      await ada.click('#profile-invalidate')
      await shows(ada, '#cache-outcome', 'Invalidated')
      await loadProfile(ada, 'load')
    })

    test('counts the quota down to a refusal', async () => {
      for (let left = 4; left >= 0; left--) {
        await ada.click('#limit-ask')
        await shows(ada, '#limit-left', `${left} of 5 left`)
        assert.equal(await ada.locator('#limit-meter .left').count(), left)
      }
      await ada.click('#limit-ask')
      await shows(ada, '#limit-outcome', `Refused: 5 requests in ${WINDOW_SECONDS} seconds are used up.`)
      await shows(ada, '#limit-headers', /Retry-After\s*\d+/)
      await shows(ada, '#limit-window', /ends in \d+ s/)
      await shows(ada, '#log .status', '429')
    })

    test('refuses the lock to a second click and names who holds it, in every page', async () => {
      await ada.click('#counter-hold')
      await shows(ada, '#lock-state', 'held by Ada')
      await shows(grace, '#lock-state', 'held by Ada')
      await grace.click('#counter-add')
      await shows(grace, '#lock-outcome', 'Refused: Ada holds the lock.')
      await shows(ada, '#lock-outcome', 'Added one under the lock: 1.')
      await shows(grace, '#lock-state', 'free')
      await shows(grace, '#counter-value', '1')
      await grace.click('#counter-add')
      await shows(grace, '#lock-outcome', 'Added one under the lock: 2.')
      await shows(ada, '#counter-value', '2')
    })

    test('moves the bar of a job on every page, from its first step to its last', async () => {
      const bar = barOf(grace)
      await ada.click('#jobs-add')
      await shows(ada, '#jobs-outcome', 'Added.')
      const values = await bar
      assert.ok(values.length >= 5, `the bar stood at ${values}`)
      assert.deepEqual(
        values,
        values.toSorted((a, b) => a - b),
      )
      for (const page of [ada, grace])
        await shows(page, '#jobs-list li:first-child', /Report for Ada.*done.*12 pages, in attempt 1/)
    })

    test('shows the attempt of a job that failed, and the one that did not', async () => {
      await grace.click('#jobs-add-failing')
      for (const page of [ada, grace]) {
        await shows(
          page,
          '#jobs-list li:first-child',
          /Report for a guest.*Attempt 1 of 3: The printer is out of paper/,
        )
      }
      for (const page of [ada, grace]) await shows(page, '#jobs-list li:first-child', /done.*12 pages, in attempt 2/)
      await ada.reload()
      await shows(ada, '#jobs-list li:first-child', 'in attempt 2')
      assert.equal(await ada.locator('#jobs-list li').count(), 2)
    })

    test('shows who is in the room, and a message in a second page, as text', async () => {
      const message = '<img src=x onerror=alert(1)> good morning'
      await grace.fill('#message', 'too early')
      await grace.click('#say button')
      await shows(grace, '#room-outcome', 'Sign in first')
      await signIn(grace, 'Grace')
      await ada.click('#room-join')
      await shows(grace, '#room-users', 'Ada')
      await grace.click('#room-join')
      await shows(ada, '#room-users', /Ada.*Grace/)
      await ada.fill('#message', message)
      await ada.click('#say button')
      await shows(grace, '#room-messages', message)
      await shows(ada, '#room-messages', message)
      await shows(ada, '#room-outcome', 'Said.')
      for (const page of [ada, grace]) {
        assert.equal(await page.locator('#room-messages li').count(), 1)
        assert.equal(await page.locator('#room-messages img').count(), 0)
      }
    })

    test('keeps rooms apart', async () => {
      await grace.selectOption('#room', 'workshop')
      await shows(grace, '#room-users', 'no users yet')
      assert.equal(await grace.locator('#room-messages li').count(), 0)
      await grace.selectOption('#room', 'lobby')
      await shows(grace, '#room-messages', 'good morning')
    })

    test('explains invalid input in words, and keeps what was typed', async () => {
      const html = '<img src=x onerror=alert(1)>'
      const linus = await openPage(browser, example.url)
      const refused = async (form, field, value, outcome, words) => {
        await linus.fill(field, value)
        await linus.click(`${form} button`)
        // What it says now may be of the try before.
        await linus.locator(`${form} button:not([aria-disabled])`).waitFor()
        assert.equal(await linus.locator(outcome).textContent(), words)
        assert.equal(await linus.locator(field).inputValue(), value)
      }
      for (const [value, words] of [
        ['', 'Give a name.'],
        ['   ', 'Give a name.'],
        ['x'.repeat(5000), 'The name may have 24 characters; this has 5000.'],
        ['x'.repeat(100_000), 'That is too long.'],
        ['😀', 'A name has letters, digits, spaces, dots and dashes.'],
        ['<b>Ada</b>', 'A name has letters, digits, spaces, dots and dashes.'],
      ])
        await refused('#login', '#name', value, '#session-outcome', words)
      await signIn(linus, 'Linus')
      await linus.click('#room-join')
      await shows(linus, '#room-users', 'Linus')
      for (const [form, field, outcome, name, most] of [
        ['#note-form', '#note', '#session-outcome', 'note', 80],
        ['#say', '#message', '#room-outcome', 'message', 200],
      ]) {
        await refused(form, field, '', outcome, `Give a ${name}.`)
        await refused(
          form,
          field,
          'x'.repeat(most + 1),
          outcome,
          `The ${name} may have ${most} characters; this has ${most + 1}.`,
        )
        await refused(form, field, 'x'.repeat(100_000), outcome, 'That is too long.')
      }
      // These are valid, and are text.
      for (const text of ['😀'.repeat(80), html]) {
        await linus.fill('#note', text)
        await linus.click('#note-form button')
        await shows(linus, '#session-facts', text)
        await linus.fill('#message', text)
        await linus.click('#say button')
        await shows(linus, '#room-messages', text)
      }
      assert.equal(await linus.locator('main img').count(), 0)
      const unexpected = linus.complaints().filter((text) => !/status of (400|413) /.test(text))
      assert.deepEqual(unexpected, [])
      await linus.context().close()
      await shows(ada, '#room-users', /^AdaGrace$/)
    })

    test('shows that the store is well', async () => {
      await ada.click('#health-check')
      await shows(ada, '#health-status', 'healthy')
      await shows(ada, '#health-facts', /ping[\d.]+ ms/)
      if (name === 'redis') {
        await shows(ada, '#health-way', /breaker closed.*primary 127\.0\.0\.1:\d+/)
        assert.ok((await ada.locator('#health-way .pool i').count()) >= 1)
        assert.match(await ada.locator('#health-way').getAttribute('aria-label'), /breaker is closed; [1-9]/)
      } else assert.equal(await ada.locator('#health-way').isVisible(), false)
      const response = await fetch(`${example.url}/health`)
      assert.equal(response.status, 200)
      assert.equal((await response.json()).status, 'healthy')
    })

    test('looks the same by day, by night and on a phone', async () => {
      for (const [label, media, viewport] of [
        ['day', 'light', { width: 1360, height: 1250 }],
        ['night', 'dark', { width: 1360, height: 1250 }],
        ['phone', 'light', { width: 390, height: 844 }],
      ]) {
        await ada.emulateMedia({ colorScheme: media, reducedMotion: 'reduce' })
        await ada.setViewportSize(viewport)
        const { scrollWidth, clientWidth } = await ada
          .locator('html')
          .evaluate(({ scrollWidth, clientWidth }) => ({ scrollWidth, clientWidth }))
        assert.equal(scrollWidth, clientWidth, `the page is wider than the screen (${label})`)
        if (!process.env.SCREENSHOT_DIR) continue
        await ada.screenshot({ path: join(process.env.SCREENSHOT_DIR, `${name}-${label}.png`), fullPage: true })
      }
    })

    test('lists the devices of a user in each of their windows, and ends one of them from another', async () => {
      const phone = await openPage(browser, example.url)
      await signIn(phone, 'Ada')
      await shows(phone, '#session-outcome', 'Signed in, on 2 devices.')
      for (const page of [ada, phone]) {
        await shows(page, '#devices li:nth-child(2)', 'Chrome on Linux')
        assert.equal(await page.locator('#devices .badge').count(), 1)
      }
      await ada.locator('#devices li').filter({ hasNotText: 'this one' }).getByRole('button').click()
      await shows(
        phone,
        '#session-outcome',
        'Signed out: the session was ended on another device, or the store lost it.',
      )
      await shows(phone, '#login', 'Sign in')
      await shows(ada, '#session-outcome', 'Ended: Chrome on Linux.')
      assert.equal(await ada.locator('#devices li').count(), 1)
      assert.deepEqual(phone.complaints(), [])
      await phone.context().close()
    })

    test('signs out everywhere, which every other window shows by itself', async () => {
      const [lin, other, third] = [
        await openPage(browser, example.url),
        await openPage(browser, example.url),
        await openPage(browser, example.url),
      ]
      for (const page of [lin, other, third]) await signIn(page, 'Lin')
      for (const page of [lin, other, third]) await shows(page, '#devices li:nth-child(3)', 'Chrome on Linux')
      await lin.click('#logout-everywhere')
      // Nothing is asked from there: it is shown because the server says so.
      for (const page of [other, third])
        await shows(
          page,
          '#session-outcome',
          'Signed out: the session was ended on another device, or the store lost it.',
        )
      await shows(lin, '#session-outcome', 'Signed out everywhere.')
      for (const page of [lin, other, third]) {
        await shows(page, '#live', 'live')
        await page.click('#profile-load')
        await shows(page, '#cache-outcome', 'Sign in first')
        await page.context().close()
      }
      await shows(ada, '#session-facts', 'Ada')
    })

    test('signs out, and leaves the room by it', async () => {
      await ada.click('#logout')
      await shows(ada, '#session-outcome', 'Signed out')
      await shows(ada, '#login', 'Sign in')
      await shows(grace, '#room-users', /^Grace$/)
      await ada.reload()
      await shows(ada, '#session-outcome', 'Not signed in')
      assert.deepEqual(await ada.context().cookies(), [])
    })

    test('had no errors in the console but the refusals that were asked for', async () => {
      const refusals = /^Failed to load resource: the server responded with a status of (401|409|429) /
      const others = [...ada.complaints(), ...grace.complaints()].filter((text) => !refusals.test(text))
      assert.deepEqual(others, [])
    })
  })
}

/** Each value that the bar of the first job shows, from when it comes until the job is done. */
function barOf(page) {
  return page.evaluate(async () => {
    const values = []
    for (;;) {
      const item = document.querySelector('#jobs-list li')
      if (item?.dataset.state === 'done') return values
      const value = item?.querySelector('progress')?.value
      if (value !== undefined && values.at(-1) !== value) values.push(value)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
}

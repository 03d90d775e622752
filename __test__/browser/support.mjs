// What the tests of the example share: the example as a process, a browser, and waiting for what a page shows.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { chromium } from 'playwright-core'

import { program } from '../../scripts/system.mjs'
import { background, end, ready, temporaryFolder } from '../support/processes.mjs'

const MAIN = fileURLToPath(new URL('../../examples/server/main.mjs', import.meta.url))
const ARGUMENTS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const SHOWN_MS = 15_000

/**
 * Starts the example on a free port. `env` is all it sees of settings, so that a server named in the environment of the
 * tests cannot slip in. `stop()` is Ctrl-C and returns how it ended: 0 when all went well.
 */
export async function startExample(env = {}) {
  const { PATH, HOME } = process.env
  const log = join(temporaryFolder('example'), 'log')
  const child = background(process.execPath, [MAIN], { env: { PATH, HOME, PORT: '0', ...env }, log })
  // The last line of the greeting: by then the address and the engine are there.
  await ready(child, 'the example', () => child.log().includes('Ctrl-C'))
  return {
    url: /https?:\/\/\S+/.exec(child.log())[0],
    output: () => child.log(),
    /** Ends it as a crash would. */
    kill: () => end(child, 'SIGKILL'),
    async stop() {
      await end(child, 'SIGINT')
      return child.ended
    },
  }
}

/** Starts chromium with a profile of its own, which is gone when the browser closes. */
export async function startBrowser() {
  const executablePath = program('chromium', 'chromium-browser', 'google-chrome')
  if (!executablePath) throw new Error('chromium not found: run npm run setup')
  return chromium.launch({ executablePath, args: ARGUMENTS })
}

/** Opens the page for a visitor with cookies of their own. `complaints()` is what the console called an error. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 1250 }, ...options })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.complaints = () => complaints
  page.setDefaultTimeout(SHOWN_MS)
  await page.goto(url)
  await shows(page, '#live', 'live')
  return page
}

/** Waits until an element shows a text (or matches a pattern); else fails with what it shows instead. */
export async function shows(page, selector, text) {
  const wanted = page.locator(selector).filter({ hasText: text })
  try {
    await wanted.first().waitFor({ timeout: SHOWN_MS })
  } catch {
    const instead = await page.locator(selector).allTextContents()
    assert.fail(`${selector} should show ${text}, but shows ${JSON.stringify(instead)}`)
  }
}

/** Signs a page in. */
export async function signIn(page, name) {
  await page.fill('#name', name)
  await page.click('#login button')
  await shows(page, '#session-outcome', /^Signed in/)
}

/** Loads the profile, waits until the page says where it came from, and returns the milliseconds shown. */
export async function loadProfile(page, result) {
  await page.click('#profile-load')
  await shows(page, '#cache-outcome', new RegExp(`^${result}:`, 'i'))
  await shows(page, '#cache-result', result)
  return Number(await page.locator('#cache-ms').textContent())
}

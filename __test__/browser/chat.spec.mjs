// The chat in real browsers: two windows on two server processes, one of which is killed in the middle.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { background, end, freePort, ready, temporaryFolder } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { shows, startBrowser } from './support.mjs'

const MAIN = fileURLToPath(new URL('../../examples/chat/main.mjs', import.meta.url))
const { WebSocket } = createRequire(MAIN)('ws')
/** Short, so that a dead member leaves soon; a client that reconnects by itself is back much earlier. */
const LEASE_MS = 2000

/** Starts the example as `npm start` there does, with everything installed. `a` and `b` are its servers: address and process id. */
async function startChat(redis) {
  const { PATH, HOME } = process.env
  const env = { PATH, HOME, PORT: String(await freePort()), REDIS_URL: redis.url, LEASE_MS: String(LEASE_MS) }
  const child = background(process.execPath, [MAIN], { env, log: join(temporaryFolder('chat'), 'log') })
  await ready(child, 'the chat', () => child.log().includes('Ctrl-C'))
  const [a, b] = [...child.log().matchAll(/server \w +(http:\S+) +process (\d+)/g)].map(([, url, pid]) => ({
    url,
    pid: Number(pid),
  }))
  return {
    a,
    b,
    output: () => child.log(),
    async stop() {
      await end(child, 'SIGINT')
      return child.ended
    },
  }
}

/** A window of its own, of a user who has entered. */
async function enter(browser, url, name) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 820 } })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.complaints = () => complaints
  page.setDefaultTimeout(15_000)
  await page.goto(url)
  await page.fill('#name', name)
  await page.click('#enter button')
  await shows(page, '#state', /connected to server/)
  return page
}

async function say(page, text) {
  await page.fill('#text', text)
  await page.click('#send')
  await shows(page, '#log .message', text)
}

const messages = (page) => page.locator('#log .message p').allTextContents()
const people = async (page) => (await page.locator('#people li span:last-child').allTextContents()).sort()

describe('the chat', () => {
  const cleanUp = []
  let redis, chat, browser, ada, grace

  before(async () => {
    redis = await startRedis()
    cleanUp.push(() => redis.stop())
    chat = await startChat(redis)
    cleanUp.push(async () => assert.equal(await chat.stop(), 0, chat.output()))
    browser = await startBrowser()
    cleanUp.push(() => browser.close())
    ada = await enter(browser, chat.a.url, 'Ada')
    grace = await enter(browser, chat.b.url, 'Grace')
  })

  after(async () => {
    for (const step of cleanUp.reverse()) await step()
  })

  test('carries what is said on one server to the window on the other, as text', async () => {
    await shows(ada, '#state', 'connected to server A')
    await shows(grace, '#state', 'connected to server B')
    const first = '<img src=x onerror=alert(1)> good morning'
    await say(ada, first)
    await shows(grace, '#log .message', first)
    assert.equal(await grace.locator('#log img').count(), 0)
    await say(grace, 'hello Ada')
    await shows(ada, '#log .message', 'hello Ada')
    for (const page of [ada, grace]) assert.deepEqual(await messages(page), [first, 'hello Ada'])
    assert.match(await grace.locator('#log .message time').first().textContent(), /\d\d?:\d\d/)
  })

  test('shows who is here, and counts two windows of one name as one person', async () => {
    for (const page of [ada, grace]) assert.deepEqual(await people(page), ['Ada', 'Grace'])
    const second = await enter(browser, chat.b.url, 'Ada')
    assert.deepEqual(await people(second), ['Ada', 'Grace'])
    await second.context().close()
    const linus = await enter(browser, chat.a.url, 'Linus')
    await shows(grace, '#log .line', 'Linus joined')
    await linus.context().close()
    await shows(grace, '#log .line', 'Linus left')
    assert.deepEqual(await people(grace), ['Ada', 'Grace'])
    assert.equal(await grace.locator('#log .line', { hasText: 'Ada left' }).count(), 0)
  })

  test('keeps rooms apart', async () => {
    await grace.click('#rooms button:has-text("garden")')
    await shows(grace, '#room-title', '# garden')
    await shows(grace, '#people', 'Grace')
    assert.deepEqual(await messages(grace), [])
    await shows(ada, '#log .line', 'Grace left')
    await grace.click('#rooms button:has-text("lobby")')
    await shows(grace, '#log .message', 'hello Ada')
    await shows(ada, '#people', 'Grace')
  })

  test('refuses a flood in words, and does not show what was refused', async () => {
    const linus = await enter(browser, chat.b.url, 'Linus')
    for (let n = 0; n < 11; n++) {
      await linus.fill('#text', `flood ${n}`)
      await linus.click('#send')
      await linus.locator('#send:enabled').waitFor()
    }
    await shows(linus, '#outcome', 'Slow down')
    await shows(ada, '#log .message', 'flood 9')
    assert.equal((await messages(ada)).includes('flood 10'), false)
    await linus.context().close()
    await shows(ada, '#log .line', 'Linus left')
  })

  test('sees the ghost of a killed server leave, and gives back what was missed', async () => {
    await ada.uncheck('#auto')
    process.kill(chat.a.pid, 'SIGKILL')
    await shows(ada, '#state', 'lost server A')
    await shows(grace, '#log .line', 'Ada left')
    assert.deepEqual(await people(grace), ['Grace'])
    const missed = ['are you there?', 'one more thing']
    for (const text of missed) await say(grace, text)
    await ada.check('#auto')
    await shows(ada, '#state', 'connected to server B')
    await shows(ada, '#log .message', missed[1])
    await shows(grace, '#people', 'Ada')
    assert.deepEqual((await messages(ada)).slice(-2), missed)
    assert.deepEqual(await messages(ada), await messages(grace))
    assert.equal(await ada.locator('#log [data-kind=gap]').count(), 0)
    await say(ada, 'back again')
    await shows(grace, '#log .message', 'back again')
  })

  test('says where messages are missing that are not kept any more', async () => {
    await ada.click('#link')
    await shows(ada, '#state', 'not connected')
    await shows(grace, '#log .line', /Ada left.*/)
    for (const text of ['lost', 'lost too', 'kept']) await say(grace, text)
    await redis.command('LTRIM', 'room:lobby:messages', '0', '0')
    await ada.click('#link')
    await shows(ada, '#log [data-kind=gap]', '2 messages are missing here')
    await shows(ada, '#log .message', 'kept')
    const lines = await ada.locator('#log li').allTextContents()
    const [gap, kept] = [/missing here/, /kept/].map((words) => lines.findIndex((line) => words.test(line)))
    assert.ok(gap < kept, lines.join('\n'))
  })

  test('looks the same by day, by night and on a phone', async () => {
    for (const [label, media, viewport] of [
      ['day', 'light', { width: 1180, height: 820 }],
      ['night', 'dark', { width: 1180, height: 820 }],
      ['phone', 'light', { width: 390, height: 844 }],
    ]) {
      await grace.emulateMedia({ colorScheme: media, reducedMotion: 'reduce' })
      await grace.setViewportSize(viewport)
      const { scrollWidth, clientWidth } = await grace
        .locator('html')
        .evaluate(({ scrollWidth, clientWidth }) => ({ scrollWidth, clientWidth }))
      assert.equal(scrollWidth, clientWidth, `the page is wider than the screen (${label})`)
      if (!process.env.SCREENSHOT_DIR) continue
      await grace.screenshot({ path: join(process.env.SCREENSHOT_DIR, `chat-${label}.png`), fullPage: true })
    }
  })

  test('had no errors in the console but the connection that was lost', async () => {
    const lost = /WebSocket connection to .* failed/
    assert.deepEqual(
      [...ada.complaints(), ...grace.complaints()].filter((text) => !lost.test(text)),
      [],
    )
  })
})

describe('the chat when something hangs or is lost', () => {
  const cleanUp = []
  let redis, chat, ada, grace

  before(async () => {
    redis = await startRedis()
    cleanUp.push(() => redis.stop())
    chat = await startChat(redis)
    cleanUp.push(async () => assert.equal(await chat.stop(), 0, chat.output()))
    const browser = await startBrowser()
    cleanUp.push(() => browser.close())
    ada = await enter(browser, chat.a.url, 'Ada')
    grace = await enter(browser, chat.b.url, 'Grace')
  })

  after(async () => {
    for (const step of cleanUp.reverse()) await step()
  })

  test('comes back by itself, to the other server, when its own hangs', async () => {
    process.kill(chat.a.pid, 'SIGSTOP')
    await shows(grace, '#log .line', 'Ada left')
    await say(grace, 'while you were away')
    await shows(ada, '#state', 'connected to server B')
    await shows(ada, '#log .message', 'while you were away')
    await shows(ada, '#people', /^AdAda/)
    // The server that hung wakes up, finds that it counts as dead, and removes no other.
    process.kill(chat.a.pid, 'SIGCONT')
    const linus = await enter(ada.context().browser(), chat.a.url, 'Linus')
    await shows(linus, '#state', 'connected to server A')
    await say(linus, 'this server lives')
    await shows(ada, '#log .message', 'this server lives')
    for (const page of [ada, grace, linus]) assert.deepEqual(await people(page), ['Ada', 'Grace', 'Linus'])
    await linus.context().close()
    await shows(ada, '#log .line', 'Linus left')
  })

  test('goes on when Redis was killed and has forgotten everything', async () => {
    const before = await messages(grace)
    await redis.kill()
    for (const page of [ada, grace]) await shows(page, '#state[data-state=away]', 'Redis is unreachable')
    await redis.start()
    for (const page of [ada, grace]) await shows(page, '#state[data-state=on]', 'connected to server')
    await shows(grace, '#log [data-kind=gap]', /missing/)
    await say(ada, 'all is well')
    await shows(grace, '#log .message', 'all is well')
    assert.deepEqual(await messages(grace), [...before, 'all is well'])
    // The new server gets the list of users too.
    const linus = await enter(ada.context().browser(), chat.a.url, 'Linus')
    for (const name of ['Ada', 'Grace', 'Linus']) await shows(linus, '#people li', name)
  })
})

describe("the chat's servers", () => {
  let redis, chat

  before(async () => {
    redis = await startRedis()
    chat = await startChat(redis)
  })

  after(async () => {
    assert.equal(await chat.stop(), 0, chat.output())
    await redis.stop()
  })

  const open = (origin = chat.a.url) => new WebSocket(`${chat.a.url.replace('http', 'ws')}/chat`, { origin })

  /** Sends these and returns what came back, up to as many messages of these types or to the end. */
  async function converse(messages, results) {
    const socket = open()
    const heard = []
    const ended = once(socket, 'close')
    const enough = new Promise((resolve) =>
      socket.on('message', (data) => {
        const message = JSON.parse(data)
        if (results.includes(message.type)) heard.push(message)
        if (heard.length === messages.length) resolve()
      }),
    )
    await once(socket, 'open')
    for (const message of messages) socket.send(typeof message === 'string' ? message : JSON.stringify(message))
    await Promise.race([enough, ended])
    socket.terminate()
    return heard
  }

  test('refuses what is no message, in words, and goes on', async () => {
    const nonsense = ['{', 'null', '7', '[]', '{}', '{"type":7}', '{"type":"__proto__"}', '{"type":"toString"}']
    const early = { type: 'say', text: 'too early' }
    const heard = await converse([...nonsense, early], ['refused'])
    assert.deepEqual(
      heard.map(({ type }) => type),
      Array(9).fill('refused'),
    )
    assert.match(heard.at(-1).words, /Enter a room first/)
  })

  test('lets no user in without a name, a room and a number', async () => {
    const good = { type: 'enter', name: 'Ada', room: 'lobby' }
    const bad = [
      ...['', ' ', '-', 'x'.repeat(25), '<b>', 'a\nb', 7, null, {}, ['a']].map((name) => ({ ...good, name })),
      ...['attic', '', '../x', '{a}', null, 7, {}].map((room) => ({ ...good, room })),
      ...['1', -1, 1.5, {}, null].map((since) => ({ ...good, since })),
    ]
    for (const entry of bad) {
      const [result] = await converse([entry], ['refused', 'entered'])
      assert.equal(result.type, 'refused', JSON.stringify(entry))
    }
  })

  test('refuses messages that are empty, too long or no text', async () => {
    const enter = { type: 'enter', name: 'Mute', room: 'workshop' }
    for (const text of ['', '  ', 'x'.repeat(501), 7, null, {}, ['a']]) {
      const heard = await converse([enter, { type: 'say', text }], ['entered', 'refused'])
      assert.equal(heard.at(-1).type, 'refused', JSON.stringify(text))
    }
  })

  test('drops who sends too much, and serves the others', async () => {
    for (const flood of [['x'.repeat(5000)], Array(500).fill('{"type":"say"}')]) {
      const socket = open()
      const ended = once(socket, 'close')
      await once(socket, 'open')
      for (const message of flood) socket.send(message)
      const [code] = await ended
      assert.ok([1008, 1009].includes(code), `it ended with ${code}`)
    }
    assert.equal((await fetch(chat.a.url)).status, 200)
  })

  test('talks to no page of another site', async () => {
    for (const origin of ['http://example.com', 'null', 'http://localhost', undefined]) {
      const socket = new WebSocket(`${chat.a.url.replace('http', 'ws')}/chat`, { origin })
      const [error] = await once(socket, 'error')
      assert.match(error.message, /401/, origin)
    }
  })

  test('has its page and nothing else at its address', async () => {
    const page = await fetch(chat.b.url)
    assert.match(page.headers.get('content-security-policy'), /default-src 'self'; connect-src 'self' ws:\/\/localhost/)
    assert.doesNotMatch(await page.text(), /(src|href)="(https?:)?\/\//)
    for (const path of ['/nothing', '/server.mjs', '/%2e%2e/server.mjs', '/chat']) {
      assert.ok([404, 426, 400].includes((await fetch(chat.b.url + path)).status), path)
    }
    assert.equal((await fetch(chat.b.url, { method: 'POST' })).status, 405)
  })

  test('says in words what is missing to start', async () => {
    await assert.rejects(startChat({ url: 'memory:' }), /Two processes need a server/)
  })
})

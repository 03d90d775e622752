// Random headers through everything that reads sessions from requests. None may fail, sign a stranger in, or be logged.

import { RedisService, SessionManager } from 'cinnabar'

import { MARKER, makeShapes } from './shapes.mjs'
import { makeTargets } from './targets.mjs'

const CALLERS = 16
const STATUSES = [200, 204, 403]

/** Sends `count` requests to each target; returns counts by target, what went wrong, and lines of a log that have something of a request. */
export async function fuzzHeaders(url, { count, seed }) {
  const logged = []
  const log = (text) => void logged.push(String(text))
  const restore = watchOutput(log)
  const service = new RedisService({ url, log: (event) => log(JSON.stringify(event)) })
  const sessions = new SessionManager(service, { cookie: { secure: false }, rolling: true })
  const user = await sessions.fromRequest({ headers: {} })
  await user.signIn('ada')
  const token = /=([^;]*)/.exec(user.setCookie)[1]
  const { targets, close } = await makeTargets(sessions, service, log)
  const failures = []
  const fail = (error) => failures.push(error?.stack ?? error)
  for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, fail)

  const report = {}
  for (const [at, [name, open]] of Object.entries(targets).entries()) {
    const next = makeShapes(seed + at, token)
    const counts = { sent: 0, refused: 0, users: 0, anonymous: 0, crossSite: 0 }
    const run = async () => {
      const send = open()
      while (counts.sent < count) {
        counts.sent++
        const request = next()
        const response = await send(request).catch((error) => ({ error }))
        const problem = problemOf(request, response)
        if (problem) failures.push(`${name}: ${problem}: ${JSON.stringify({ ...request, response }).slice(0, 2000)}`)
        // By the parser of HTTP or by the framework, before any of this package.
        else if (response === null || (response.status >= 400 && response.status !== 403)) counts.refused++
        else if (response.status === 403) counts.crossSite++
        else if (response.body === 'ada') counts.users++
        else counts.anonymous++
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, run))
    report[name] = counts
  }
  await close()
  await service.disconnect()
  restore()
  for (const event of ['uncaughtException', 'unhandledRejection']) process.off(event, fail)
  const leaks = logged.filter((line) => line.includes(MARKER) || line.includes(token))
  return { report, failures, leaks, lines: logged.length }
}

function problemOf(request, response) {
  if (response === null) return undefined
  if (response.error) return `an exception: ${response.error.stack}`
  const { status, body, headers } = response
  if (status >= 500) return `status ${status}`
  // 400 and 431 are those of the parser, with an empty body.
  if (!STATUSES.includes(status) && ![400, 431].includes(status)) return `status ${status}`
  if (body === 'ada' && !request.isUser) return 'a stranger is signed in'
  if (status === 200 && !['ada', 'anonymous', ''].includes(body)) return `the body ${body}`
  if (new RegExp(`^set-cookie[:,].*${MARKER}`, 'im').test(headers)) return 'a cookie with the input'
  return undefined
}

/** Passes on to `log` what is written to the console and to standard error; returns what ends that. */
function watchOutput(log) {
  const { write } = process.stderr
  process.stderr.write = (text, ...rest) => (log(text), write.call(process.stderr, text, ...rest))
  const names = ['log', 'info', 'warn', 'error', 'debug']
  const before = names.map((name) => console[name])
  for (const name of names) console[name] = (...args) => log(args.map(String).join(' '))
  return () => {
    process.stderr.write = write
    for (const [at, name] of names.entries()) console[name] = before[at]
  }
}

// Runs the command line as a process of its own.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { program } from '../../scripts/system.mjs'
import { root, runNode, until } from '../helpers.mjs'

const page = readFileSync(join(root, 'docs/doctor.md'), 'utf8')

/** What specs use as passwords: neither may be in any output. */
export const PASSWORD = 'pa55-w0rd-of-the-server'
export const WRONG = 'an0ther-w0rd'

const TIMEOUT = 170_000

/** Runs `cinnabar` with these words; returns `{ status, out, err }`. */
export async function usage(words, { env } = {}) {
  const run = await runNode(['bin/cinnabar.js', ...words], { env, timeout: TIMEOUT })
  for (const secret of [PASSWORD, WRONG])
    assert.ok(!(run.out + run.err).includes(secret), `a password is in the output: ${run.out}`)
  return run
}

/** Runs `cinnabar doctor`. A busy machine may take its time: only a silent server is given less. */
export function doctor(words, options) {
  return usage(['doctor', '--timeout', '60', ...words], options)
}

/** The same as JSON: `{ code, out, report }`. */
export async function examine(words, options) {
  const { status, out, err } = await doctor([...words, '--json'], options)
  assert.equal(err, '')
  const report = JSON.parse(out)
  assert.equal(report.exitCode, status)
  for (const { check, code } of report.findings) {
    assert.ok(
      page.includes(`\`${check}\``) && page.includes(code === 'ok' ? '"ok"' : `\`${code}\``),
      `${check} ${code} is not documented`,
    )
  }
  return { code: status, out, report }
}

export const codesOf = ({ findings }) => findings.map(({ code }) => code)

/** The first finding with this code, which must have this level. */
export function finding(report, code, level) {
  const found = report.findings.find((finding) => finding.code === code)
  assert.ok(found, `no finding ${code} in ${JSON.stringify(report.findings, null, 1)}`)
  assert.equal(found.level, level)
  return found
}

/** The same as JSON, of a command that succeeds. */
export async function usageJson(words, options) {
  const { status, out, err } = await usage([...words, '--json'], options)
  assert.equal(status, 0, err)
  assert.equal(err, '')
  return JSON.parse(out)
}

/** Asserts that a command ends with 1, and one line that says what to do; returns the line. */
export async function fails(words, options) {
  const { status, out, err } = await usage(words, options)
  assert.equal(status, 1, `${words}: ${out}${err}`)
  assert.equal(out, '')
  assert.match(err, /^cinnabar: [^\n]+; [^\n]+\n$/)
  return err
}

/**
 * Runs `cinnabar` on a terminal of 80 columns: `{ out, write, shows, ended }`. `shows(pattern)` resolves once the output matches, `write`
 * types, and `ended` resolves to the exit code.
 */
export function onTerminal(words, { env = {}, columns = 80 } = {}) {
  const opener = program('script')
  if (!opener) throw new Error('script not found, which opens a terminal: please install bsdutils')
  const command = [process.execPath, 'bin/cinnabar.js', ...words].map((word) => `'${word}'`).join(' ')
  const args = ['-qefc', `stty cols ${columns} rows 24 && exec ${command}`, '/dev/null']
  const child = spawn(opener, args, {
    cwd: root,
    env: { PATH: process.env.PATH, TERM: 'xterm', ...env },
    timeout: TIMEOUT,
  })
  let out = ''
  child.stdout.on('data', (bytes) => (out += bytes))
  child.stdin.on('error', () => {})
  let hasEnded = false
  const ended = once(child, 'close').then(([status]) => {
    hasEnded = true
    assert.ok(!out.includes(PASSWORD), 'a password is on the terminal')
    return status
  })
  const shows = (pattern) =>
    until(
      `the terminal shows ${pattern}`,
      () => {
        const isShown = pattern.test(out)
        assert.ok(isShown || !hasEnded, `it ended without ${pattern}: ${JSON.stringify(out.slice(-500))}`)
        return isShown
      },
      60,
    )
  return { out: () => out, write: (keys) => child.stdin.write(keys), shows, ended }
}

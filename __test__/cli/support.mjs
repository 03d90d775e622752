// Runs the command line as a process of its own.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { root, runNode } from '../helpers.mjs'

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

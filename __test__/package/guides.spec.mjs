// The guides of docs/: each block of JavaScript or TypeScript compiles, each of JavaScript runs on both engines and prints what its comments
// say, links lead to what exists, and tables list what the types and the source have.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { after, describe, test } from 'node:test'

import { root } from '../helpers.mjs'
import {
  anchorsOf,
  blocksOf,
  compile,
  expectedOutput,
  guides,
  guidesFolder,
  isExpected,
  linksOf,
  runBlocks,
} from '../support/guides.mjs'
import { startRedis } from '../support/redis.mjs'

const LANGUAGES = ['js', 'ts', 'sh', 'sql', 'text', 'json', 'yaml', 'toml', 'dockerfile', 'diff']

// What compiles nowhere, or not under `strict`, each with its reason: the guide and a text of the block.
const NOT_COMPILED = [
  ['next-cache', 'cacheHandler: require.resolve(', 'a part of an object'],
  ['session-migration', 'request.session.views', 'express-session takes the fields of sessions from a declaration'],
]
// JavaScript has no annotations: parameters without a type are `any`, and data of jobs without one `unknown`.
const WITHOUT_ANNOTATIONS = ['TS7006', 'TS7031', 'TS18046']

const server = await startRedis()
after(() => server.stop())

const blocks = guides.flatMap(blocksOf)
const isListed = ({ guide, code }) => NOT_COMPILED.some(([name, text]) => guide === name && code.includes(text))
const declaresForAll = ({ code }) => code.includes("declare module 'cinnabar'")
const compiled = blocks.filter((block) => ['js', 'ts'].includes(block.language) && !isListed(block))

describe('the code of the guides', () => {
  test('is in a language that says whether it compiles and runs', () => {
    for (const { guide, line, language } of blocks) {
      assert.ok(LANGUAGES.includes(language), `docs/${guide}.md:${line}: ${language || 'no language'}`)
    }
    for (const [name, text] of NOT_COMPILED) {
      assert.ok(
        blocks.some(({ guide, code }) => guide === name && code.includes(text)),
        `${name}: ${text}`,
      )
    }
  })

  // What one block declares for all must not be seen by the others.
  for (const [what, chosen] of [
    ['by itself', compiled.filter((block) => !declaresForAll(block))],
    ['where it declares types for all', compiled.filter(declaresForAll)],
  ]) {
    test(`compiles, ${what}`, async () => {
      assert.ok(chosen.length > 0)
      const errors = await compile(guidesFolder(), chosen)
      const wrong = errors.filter(({ file, code }) => !(file.endsWith('.mjs') && WITHOUT_ANNOTATIONS.includes(code)))
      assert.deepEqual(wrong, [])
    })
  }

  for (const guide of guides) {
    const programs = blocksOf(guide).filter(({ language }) => language === 'js')
    if (programs.length === 0) continue
    for (const url of ['memory:', server.url]) {
      test(`docs/${guide.name}.md runs on ${url === 'memory:' ? 'memory' : 'redis'}`, async () => {
        const { status, err, printed } = await runBlocks(guidesFolder(), programs, { REDIS_URL: url })
        assert.equal(printed.length, programs.length, `line ${programs[printed.length]?.line}: ${err}`)
        for (const [at, { line, code }] of programs.entries()) {
          const rest = [...printed[at]]
          for (const comment of expectedOutput(code)) {
            const found = rest.findIndex((text) => isExpected(comment, text))
            assert.notEqual(found, -1, `line ${line}: "${comment}" was not printed, but ${JSON.stringify(printed[at])}`)
            rest.splice(0, found + 1)
          }
        }
        assert.equal(status, 0, err)
      })
    }
  }
})

describe('the links of the guides', () => {
  const pages = [...guides, { name: '../README', text: readFileSync(join(root, 'README.md'), 'utf8') }]
  const textOf = (path) => readFileSync(path, 'utf8')

  for (const { name, text } of pages) {
    test(`docs/${name}.md`, () => {
      const path = join(root, 'docs', `${name}.md`)
      for (const target of linksOf(text)) {
        const [file, anchor] = target.split('#')
        const linked = file === '' ? path : normalize(join(dirname(path), decodeURI(file)))
        assert.ok(existsSync(linked), `${target}: no such file`)
        // The npm package and the site have docs/ alone.
        if (!name.startsWith('../')) assert.equal(dirname(linked), join(root, 'docs'), `${target}: not in docs/`)
        if (anchor) assert.ok(anchorsOf(textOf(linked)).has(anchor), `${target}: no such heading`)
      }
    })
  }

  test('lead to each guide from the first one', () => {
    const linked = new Set(
      linksOf(guides.find(({ name }) => name === 'index').text).map((target) => target.split('#')[0]),
    )
    const missing = guides.filter(({ name }) => name !== 'index' && !linked.has(`${name}.md`))
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    )
  })
})

describe('the tables of the guides', () => {
  const guide = (name) => guides.find((each) => each.name === name).text
  /** The words in backticks in a column of the tables of a guide. */
  const column = (text, at) =>
    [...text.matchAll(/^\|(.*)\|$/gm)].flatMap(([, row]) =>
      [...(row.split(/(?<!\\)\|/)[at] ?? '').matchAll(/`([\w.]+)`/g)].flatMap(([, word]) => word.split('.')),
    )

  test('errors: each code of the types and of the source, with whether it may be retried', () => {
    const types = readFileSync(join(root, 'types/errors.d.ts'), 'utf8')
    const declared = [...types.matchAll(/^ {2}\| '(E_\w+)'/gm)].map(([, code]) => code)
    const source = readFileSync(join(root, 'crates/port/src/error.rs'), 'utf8')
    const made = new Map(
      [...source.matchAll(/"(E_\w+)", retryable: (true|false)/g)].map(([, code, retry]) => [code, retry]),
    )
    assert.deepEqual([...made.keys()], declared)

    const rows = [...guide('errors').matchAll(/^\| `(E_\w+)` +\|(.*)\|$/gm)].map(([, code, row]) => [
      code,
      row
        .split('|')[0]
        .trim()
        .split(/[ ,:;]/)[0],
    ])
    assert.deepEqual(
      rows.map(([code]) => code),
      declared,
    )
    for (const [code, retry] of rows) assert.equal(retry, made.get(code) === 'true' ? 'yes' : 'no', code)
  })

  test('settings: each environment variable and each option of a service', () => {
    const reader = readFileSync(join(root, 'lib/environment-variables.js'), 'utf8')
    const [, list] = /^const NAMES = \[\n([^]*?)^\]/m.exec(reader)
    const read = [...list.matchAll(/'(\w+)'/g)].map(([, name]) => name)
    const named = new Set(
      guide('settings')
        .match(/`(?:REDIS|CINNABAR|NODE)_[A-Z_]+`/g)
        .map((name) => name.slice(1, -1)),
    )
    assert.deepEqual([...named].sort(), read.sort())

    const options = readFileSync(join(root, 'types/options.d.ts'), 'utf8')
    const described = new Set(column(guide('settings'), 0))
    for (const [, type, body] of options.matchAll(/^export interface (\w+) \{\n([^]*?)^\}/gm)) {
      for (const [, name] of body.matchAll(/^ {2}(\w+)\??:/gm)) assert.ok(described.has(name), `${type}.${name}`)
    }
  })

  test('health: each alert', () => {
    const types = readFileSync(join(root, 'types/health.d.ts'), 'utf8')
    const [, union] = /^export type HealthAlertCode =\n([^]*?)\n\n/m.exec(types)
    const alerts = [...union.matchAll(/'(\w+)'/g)].map(([, alert]) => alert)
    const described = new Set(column(guide('health'), 0))
    assert.deepEqual(
      alerts.filter((alert) => !described.has(alert)),
      [],
    )
  })

  test('performance: the figures of the README', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const [, table] = /^## Measured\n([^]*?)^!/m.exec(readme)
    const rows = [...table.matchAll(/^\|(.+)\| *([\d.,]+)k *\|.* ([\d.,]+)k *\| *\*\*([\d.]+) ×\*\* *\|$/gm)]
    assert.ok(rows.length >= 10)
    for (const [, what, own, peer, ratio] of rows) {
      for (const figure of [own, peer]) assert.ok(guide('performance').includes(`${figure}k`), `${what}: ${figure}k`)
      const [mine, theirs] = [own, peer].map((figure) => Number(figure.replaceAll(',', '')))
      assert.ok(Math.abs(mine / theirs / ratio - 1) < 0.02, `${what}: ${mine / theirs} is not ${ratio}`)
    }
  })

  test('reliability: the count of the README', () => {
    const counted = /(\d+) scenarios with ([\d,]+) calls and jobs/
    const [, ...shown] = counted.exec(readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/\s+/g, ' '))
    const [, ...listed] = counted.exec(guide('reliability').replaceAll(/\s+/g, ' '))
    assert.deepEqual(shown, listed)
  })

  test('health: each event of the log', () => {
    const types = readFileSync(join(root, 'types/service.d.ts'), 'utf8')
    const [, union] = /^ {2}type:\n([^]*?)\n {2}\/\*\*/m.exec(types)
    const text = guide('health')
    for (const [, event] of union.matchAll(/'([\w-]+)'/g)) assert.ok(text.includes(`\`${event}\``), event)
  })
})

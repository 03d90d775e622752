// `npm test`: prepares what is missing, then runs every test.
//
//   node scripts/test.mjs                 everything
//   node scripts/test.mjs rust types      these parts only
//   node scripts/test.mjs js cache lock   only the specs with one of these words in their path

import { main, run } from './run.mjs'
import { forTesting } from './setup.mjs'
import { runSpecs } from './specs.mjs'
import { count, failures } from './totals.mjs'

const parts = {
  rust: () => run('cargo', ['test', '--locked', '--workspace', '--features', 'fred', '--no-fail-fast']),
  types: async () => (await checkTypes('__test__/types')) + (await checkTypes('__test__/types/declared')),
  js: (words) => runSpecs(words),
  runtimes: (words) => runSpecs(words, { folder: 'runtimes' }),
}

function checkTypes(project) {
  return run(process.execPath, ['node_modules/typescript/bin/tsc', '--project', project])
}

await main(async () => {
  const args = process.argv.slice(2)
  const named = args.filter((arg) => arg in parts)
  const words = args.filter((arg) => !(arg in parts))
  await forTesting()

  const total = { passed: 0, failed: 0, skipped: 0 }
  const broken = []
  const failed = []
  for (const part of named.length ? named : Object.keys(parts)) {
    const started = Date.now()
    console.log(`\n== ${part}`)
    let output
    try {
      output = await parts[part](words)
    } catch (error) {
      // The other parts still run, so that one run shows every failure.
      output = error.output ?? ''
      broken.push(`${part}: ${error.message}`)
    }
    for (const [what, number] of Object.entries(count(output))) total[what] += number
    failed.push(...failures(output))
    console.log(`== ${part} took ${Math.round((Date.now() - started) / 1000)} s`)
  }

  // Once more at the end, where a long log is read first.
  for (const text of failed) console.error(`\n${text}`)

  // No test may be skipped because something is missing: it must fail and say what is missing.
  if (total.skipped) broken.push(`${total.skipped} skipped`)
  for (const line of broken) console.error(line)
  console.log(`\n${total.passed} passed, ${total.failed} failed`)
  if (broken.length || total.failed) process.exitCode = 1
})

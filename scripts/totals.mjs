// Sums up what the test runners printed.

/** The totals of the runners' summaries. */
export function count(output) {
  const total = { passed: 0, failed: 0, skipped: 0 }
  const rust = /^test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/gm
  for (const [, passed, failed, ignored] of output.matchAll(rust)) {
    total.passed += Number(passed)
    total.failed += Number(failed)
    total.skipped += Number(ignored)
  }
  const names = { pass: 'passed', fail: 'failed', cancelled: 'failed', skipped: 'skipped', todo: 'skipped' }
  for (const [, what, number] of output.matchAll(/^ℹ (pass|fail|cancelled|skipped|todo) (\d+)/gm)) {
    total[names[what]] += Number(number)
  }
  return total
}

/** What the runners say of each failed test, as they print it after all tests. */
export function failures(output) {
  const node = /^✖ failing tests:\n(?:(?!== ).*\n?)*/gm
  const rust = /^failures:\n\n----[^]*?(?=^test result: )/gm
  return [...output.matchAll(rust), ...output.matchAll(node)].map(([text]) => text.trimEnd())
}

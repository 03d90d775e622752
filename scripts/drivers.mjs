// `npm run drivers`: the feature tests and the features' specs on both drivers, ending with a table.
//
//   node scripts/drivers.mjs               everything on fred, and once more on the native driver
//   node scripts/drivers.mjs fred          on this one only
//   node scripts/drivers.mjs fred queue    only the specs with this word in their path

import { main, run } from './run.mjs'
import { forTesting } from './setup.mjs'
import { runSpecs } from './specs.mjs'
import { count } from './totals.mjs'

const drivers = ['fred', 'native']
const features = ['service', 'session', 'cache', 'limit', 'lock', 'room', 'queue', 'pubsub']
const folders = Object.fromEntries(features.map((feature) => [feature, [`${feature}/`]]))
const specsOf = { ...folders, TLS: ['connection/tls', 'connection/certificates'] }

/** The tests, by the name of their row. */
function rows(words) {
  const specs = Object.entries(specsOf).map(([name, paths]) => [name, (env) => runSpecs(paths, { env })])
  if (words.length) return specs.filter(([feature]) => words.some((word) => feature.includes(word)))
  const cargo = ['test', '--locked', '--no-fail-fast', '--features', 'fred']
  return [
    ['driver (Rust)', (env) => run('cargo', [...cargo, '--package', 'cinnabar-redis'], { env })],
    ['features (Rust)', (env) => run('cargo', [...cargo, '--package', 'cinnabar-core', '--test', 'features'], { env })],
    ...specs,
  ]
}

/** How many tests of this row passed and failed. */
async function result(test, driver) {
  try {
    return count(await test({ REDIS_DRIVER: driver }))
  } catch (error) {
    const total = count(error.output ?? '')
    return { ...total, failed: Math.max(total.failed, 1) }
  }
}

await main(async () => {
  const args = process.argv.slice(2)
  const chosen = drivers.filter((driver) => args.includes(driver))
  const words = args.filter((arg) => !drivers.includes(arg))
  const columns = chosen.length ? chosen : drivers
  await forTesting()
  const lines = []
  let failed = 0
  for (const [name, test] of rows(words)) {
    const cells = []
    for (const driver of columns) {
      console.log(`\n== ${name} on ${driver}`)
      const total = await result(test, driver)
      failed += total.failed
      cells.push(total.failed ? `${total.passed} passed, ${total.failed} failed` : `${total.passed} passed`)
    }
    lines.push([name, ...cells])
  }
  const table = [['', ...columns], ['---', ...columns.map(() => '---')], ...lines]
  console.log(`\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`)
  if (failed) throw new Error(`${failed} failed`)
})

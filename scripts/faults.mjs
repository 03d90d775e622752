// `npm run faults`: what happens to callers when servers and networks fail, as a table.
//
//   node scripts/faults.mjs                 every scenario
//   node scripts/faults.mjs 3 tls           those with this number, or this word in their file name
//   node scripts/faults.mjs --short         the selection that `npm test` runs
//   node scripts/faults.mjs --seed 42       repeats the run that printed this seed

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { elsewhere, failures, runScenario, scenarios, table } from '../tests/faults/suite.mjs'
import { main, root } from './run.mjs'
import { systemPackages } from './system.mjs'

await main(async () => {
  const args = process.argv.slice(2)
  const option = (name) => {
    const at = args.indexOf(name)
    return at < 0 ? undefined : args.splice(at, 2)[1]
  }
  const flag = (name) => {
    const at = args.indexOf(name)
    if (at >= 0) args.splice(at, 1)
    return at >= 0
  }
  const seed = Number(option('--seed') ?? Math.floor(Math.random() * 2 ** 31))
  const short = flag('--short')
  if (!Number.isInteger(seed)) throw new Error('--seed wants a whole number')
  await systemPackages(['redis-server', 'openssl'])

  const chosen = await scenarios({ words: args, short })
  if (chosen.length === 0) throw new Error(`no scenario is called ${args.join(' or ')}`)
  console.log(`seed ${seed}`)
  const rows = []
  for (const one of chosen) {
    const row = await runScenario(one, { seed, short })
    rows.push(row)
    console.log(
      `${row.verdict.padEnd(8)} ${row.number} ${row.name} (${row.seconds.toFixed(1)} s): ${row.notes.join('; ')}`,
    )
    for (const reason of row.reasons) console.log(`         - ${reason}`)
    if (!row.ok && row.said) console.log(row.said.trimEnd().replaceAll(/^/gm, '         | '))
  }

  const list = failures(rows)
  console.log(`\n${table(rows)}${list ? `\n\n${list}` : ''}\n\nseed ${seed}`)
  // Only a full run is written down: a partial one would replace the results of the other scenarios.
  if (args.length === 0 && !short) {
    const folder = join(root, 'tests/faults/results')
    mkdirSync(folder, { recursive: true })
    const text = `# What happened to callers\n\n\`npm run faults -- --seed ${seed}\`\n\n${table(rows)}\n\n${elsewhere}\n${list ? `\n${list}\n` : ''}`
    writeFileSync(join(folder, 'latest.md'), text)
  }
  if (rows.some((row) => !row.ok)) process.exitCode = 1
})

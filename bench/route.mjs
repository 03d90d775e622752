/** `npm run bench:route`: an HTTP route that needs a session, beside express-session and better-auth. See `--help`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { contenders } from './route/contenders.mjs'
import { measureRoute } from './route/measure.mjs'
import { routeTable, routeVerdicts, summariseRoute } from './route/table.mjs'
import { describeMachine } from './suite/machine.mjs'
import { installPeers } from './suite/peers.mjs'
import { startServer } from './suite/server.mjs'

const usage = `npm run bench:route -- [options]
  --contenders a,b     of ${Object.keys(contenders).join(', ')}
  --connections 64     that are kept alive, each with one request under way
  --rounds 5
  --ms 2000            milliseconds of one run
  --profile a          writes a CPU profile of this contender's process
  --check              exit with 1 when a target is missed`
const { values } = parseArgs({
  options: {
    contenders: { type: 'string', default: Object.keys(contenders).join(',') },
    connections: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    ms: { type: 'string', default: '2000' },
    profile: { type: 'string' },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) console.log(usage)
else await main({ connections: Number(values.connections), rounds: Number(values.rounds), ms: Number(values.ms) })

async function main({ connections, rounds, ms }) {
  if (!(connections > 0 && rounds > 0 && ms > 0)) throw new Error(usage)
  const names = values.contenders.split(',')
  const peers = installPeers()
  const server = await startServer()
  try {
    const machine = await describeMachine({ server, peers })
    const onRun = ({ name, round }) => process.stderr.write(`\r${round}/${rounds} ${name.padEnd(30)}`)
    const { profile } = values
    const measured = await measureRoute({ names, server, connections, rounds, ms, profile, onRun })
    const rows = summariseRoute(measured)
    const verdicts = routeVerdicts(rows)
    const text = report(machine, { connections, rounds, ms }, rows, verdicts)
    console.log(`\n${text}`)
    save({ machine, connections, rounds, ms, rows, verdicts, text }, names)
    if (values.check && verdicts.some(({ met }) => !met)) process.exitCode = 1
  } finally {
    await server.stop()
  }
}

function report(machine, { connections, rounds, ms }, rows, verdicts) {
  const [head, ...cells] = routeTable(rows)
  const line = (texts) => `| ${texts.join(' | ')} |`
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version ?? 'missing'}`)
  return [
    '# A protected route, measured',
    `- ${machine.date.slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit ?? 'unknown'}`,
    `- ${machine.cpu}, ${machine.cores} cores shared with the server and the load, load before ${machine.loadBefore}`,
    `- Node ${machine.node}, ${machine.server} on loopback, ${versions.join(', ')}`,
    `- medians of ${rounds} interleaved rounds of ${ms} ms, with their range; ${connections} connections, each with its own session\n`,
    "Node's `http` server; the route needs a session and sends 50 bytes. _main_ is the CPU time of the main thread per request, _session work_",
    'what of it the route without a session does not take. _Commands_ and _round trips_ are per request, counted by the server with one',
    'connection; _reads of the server_ are with all, where requests share them.\n',
    line(head),
    line(head.map((_, n) => (n === 0 ? '---' : '--:'))),
    ...cells.map(line),
    '',
    ...verdicts.map(({ met, text }) => `- ${met ? 'met' : '**missed**'}: ${text}`),
    '',
  ].join('\n')
}

/** Only a run of all contenders is kept in git. */
function save({ text, ...results }, names) {
  const folder = new URL('results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const isFull = names.length === Object.keys(contenders).length && results.rounds >= 5 && results.ms >= 2000
  const name = isFull ? 'route' : 'quick-route'
  const files = { [`${name}.md`]: text, [`${name}.json`]: `${JSON.stringify(results, null, 1)}\n` }
  for (const [file, content] of Object.entries(files)) writeFileSync(new URL(file, folder), content)
  console.log(fileURLToPath(new URL(`${name}.md`, folder)))
}

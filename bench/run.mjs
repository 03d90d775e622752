/** `npm run bench`: cinnabar beside its peers, in one run on one machine. See `--help`. */
import { makePlan, runsOf } from './suite/plan.mjs'
import { describeMachine } from './suite/machine.mjs'
import { isFull, readOptions, usage } from './suite/options.mjs'
import { installPeers } from './suite/peers.mjs'
import { Progress } from './suite/progress.mjs'
import { writeResults } from './suite/results.mjs'
import { runGroup } from './suite/schedule.mjs'
import { startServer } from './suite/server.mjs'
import { sizeVerdicts } from './suite/size-table.mjs'
import { summarise } from './suite/summary.mjs'
import { printGroup } from './suite/table.mjs'
import { checkTargets } from './suite/targets.mjs'
import { measureSize, printSize } from './size.mjs'

const options = understood()
if (options?.help) console.log(usage)
else if (options) await main()

function understood() {
  try {
    return readOptions()
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`)
    process.exitCode = 2
    return null
  }
}

async function main() {
  const plan = makePlan(options)
  const peers = installPeers()
  const server = await startServer()
  const interrupt = () => process.exit(130)
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  try {
    const machine = await describeMachine({ server, peers })
    announce(machine)
    const { groups, failures } = await measureAll(plan, server)
    const size = options.only || failures.some(isOurs) ? null : await measureSize({ server, quick: options.quick })
    if (size) printSize(size)
    const verdicts = [...checkTargets(groups), ...(size ? sizeVerdicts(size) : [])]
    const files = writeResults({ machine, groups, failures, verdicts, size }, { full: isFull(options) })
    console.log(`\n${files.join('\n')}`)
    conclude(failures, verdicts)
  } finally {
    await server.stop()
  }
}

function announce({ cpu, cores, node, server, versions, harnessMicros, loadBefore }) {
  console.log(`${cpu}, ${cores} cores, Node ${node}, ${server}`)
  console.log(
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version ?? 'missing'}`)
      .join(', '),
  )
  console.log(`The harness itself takes ${harnessMicros.toFixed(2)} µs of main thread per call.`)
  if (loadBefore > 0.5)
    console.log(`The load is ${loadBefore} before the start: these figures will be worse than on a quiet machine.`)
}

async function measureAll(plan, server) {
  const progress = new Progress(plan.reduce((total, group) => total + runsOf(group), 0))
  const groups = []
  const failures = []
  const onFailure = (failure) => {
    failures.push(failure)
    progress.clear()
    console.log(`${failure.contender} fell out of ${failure.group}: ${failure.reason}`)
  }
  for (const planned of plan) {
    const group = summarise(await runGroup(planned, server, { onRun: (run) => progress.ran(run), onFailure }))
    groups.push(group)
    progress.clear()
    printGroup(group)
  }
  return { groups, failures }
}

function conclude(failures, verdicts) {
  const missed = verdicts.filter(({ met }) => !met)
  if (options.check) {
    for (const { met, text } of verdicts) console.log(`${met ? 'met   ' : 'MISSED'} ${text}`)
    console.log(
      missed.length ? `${missed.length} of ${verdicts.length} targets missed.` : `All ${verdicts.length} targets met.`,
    )
  }
  if (failures.some(isOurs) || (options.check && missed.length)) process.exitCode = 1
}

function isOurs({ contender }) {
  return contender.startsWith('cinnabar')
}

/** The command line of the bench. */
import { parseArgs } from 'node:util'
import { workloads } from '../workloads/all.mjs'

export const usage = `npm run bench -- [options]
  --quick              fewer sizes, shorter runs, 3 rounds: under 90 seconds, results as quick.*
  --only get,limit     these workloads: ${Object.keys(workloads).join(', ')}
  --sizes 400,32k      these value sizes (get, set)
  --inflight 1,64      these numbers of calls in flight, and of jobs at once
  --contenders a,b     these contenders only
  --shape rows         text (default), rows or unicode values
  --rounds 5           rounds per cell
  --ms 600             milliseconds of one run of one cell
  --jobs 10000         jobs of a batch (add-many, process)
  --check              exit with 1 and a list when a target is missed
  --help`

export function readOptions(argv = process.argv.slice(2)) {
  const { values } = parseArgs({
    args: argv,
    options: {
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
      sizes: { type: 'string' },
      inflight: { type: 'string' },
      contenders: { type: 'string' },
      shape: { type: 'string' },
      rounds: { type: 'string' },
      ms: { type: 'string' },
      jobs: { type: 'string' },
    },
  })
  const only = list(values.only)
  const unknown = only?.find((name) => !(name in workloads))
  if (unknown) throw new Error(`no workload ${unknown}; there are ${Object.keys(workloads).join(', ')}`)
  if (values.shape && !['text', 'rows', 'unicode'].includes(values.shape))
    throw new Error('--shape: text, rows, unicode')
  return {
    quick: values.quick,
    check: values.check,
    help: values.help,
    only,
    sizes: list(values.sizes)?.map(bytes),
    inflight: list(values.inflight)?.map((text) => positive(text, '--inflight')),
    contenders: list(values.contenders),
    shape: values.shape,
    rounds: positive(values.rounds ?? (values.quick ? '3' : '5'), '--rounds'),
    ms: values.ms === undefined ? null : positive(values.ms, '--ms'),
    jobs: values.jobs === undefined ? null : positive(values.jobs, '--jobs'),
  }
}

/** Is this the whole bench, whose figures may be published? */
export const isFull = (options) =>
  options.rounds >= 5 &&
  !options.ms &&
  !options.jobs &&
  !options.quick &&
  !options.only &&
  !options.sizes &&
  !options.inflight &&
  !options.contenders &&
  !options.shape

const list = (text) => text?.split(',').map((part) => part.trim())

function bytes(text) {
  const [, number, unit] = /^(\d+)\s*(k?)b?$/i.exec(text) ?? []
  if (!number) throw new Error(`--sizes: ${text} is no size`)
  return Number(number) * (unit ? 1024 : 1)
}

function positive(text, name) {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name}: ${text} is no positive whole number`)
  return number
}

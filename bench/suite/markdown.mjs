/** The table as Markdown, with machine, versions, method and spread. */
import { titles } from '../contenders/titles.mjs'
import { columnsOf, three } from './format.mjs'
import { sizeRows } from './size-table.mjs'

export function toMarkdown({ machine, groups, failures, verdicts, size }) {
  return [
    '# Measured',
    facts(machine, groups),
    method(machine),
    verdicts.length
      ? `## Targets\n\n${table(
          ['', 'target'],
          verdicts.map(({ met, text }) => [met ? 'met' : '**missed**', text]),
        )}`
      : '',
    ...groups.map(groupSection),
    size ? `## Size\n\n${table(['what', 'figure', 'target'], sizeRows(size))}` : '',
    failures.length
      ? `## Failures\n\n${failures.map((f) => `- ${f.contender} (${f.group}): ${f.reason}`).join('\n')}`
      : '',
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n')
}

function facts(machine, groups) {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version ?? 'missing'}`)
  return [
    `- ${machine.date.slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit ?? 'unknown'}`,
    `- ${machine.cpu}, ${machine.cores} cores shared with the server, ${machine.memoryGigabytes} GB, ${machine.system}, load before ${machine.loadBefore}`,
    `- Node ${machine.node}, ${machine.server} on loopback, ${versions.join(', ')}`,
    `- medians of ${groups[0]?.rounds ?? 0} rounds; each contender in its own process, rounds interleaved`,
  ].join('\n')
}

function method({ harnessMicros }) {
  return [
    '_n in flight_ are n loops that each await their call. Every read is parsed to an object.',
    '_main µs_ is the time the event loop was not waiting (event-loop utilisation) per call, _(cpu)_ the CPU time of the main thread by the',
    'kernel’s clock, _process µs_ the CPU of all threads of the client process, _server µs_ that of the server. The harness itself takes',
    `${three(harnessMicros)} µs of main thread per call, which is in every figure. _× base_ is against the first peer of the section.`,
    '',
    'Of a queue, an operation is a job. `addMany` is one call; what is processed was added before, by a handler that does nothing, _at once_ is',
    'the concurrency, and the end is when the store says that nothing waits and nothing is under way. Both queues keep the last 100 finished jobs',
    'of an hour. Of messages, an operation is one that a handler got, parsed, _p50_ and _p99_ are from the call of publish to the handler, by',
    'a clock that the processes share, and all other figures are the subscriber’s. Of latencies the ratio says how many times shorter.',
  ].join('\n')
}

function groupSection(group) {
  const columns = columnsOf(group)
  const parts = group.cells.map(({ inflight, rows }) => {
    const head = [`${inflight} ${group.unit}`, ...columns.map(([head]) => head)]
    return table(
      head,
      rows.map((row) => [
        row.name.startsWith('cinnabar') ? `**${titles[row.name]}**` : titles[row.name],
        ...columns.map(([, cell]) => cell(row)),
      ]),
    )
  })
  return `## ${group.title}\n\n_× base: ${titles[group.baseline]}_\n\n${parts.join('\n\n')}`
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

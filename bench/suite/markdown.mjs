/** The table as Markdown, with machine, versions, method and spread. */
import { titles } from '../contenders/titles.mjs'
import { cellsOf, columns, three } from './format.mjs'
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
  ].join('\n')
}

function groupSection(group) {
  const parts = group.cells.map(({ inflight, rows }) => {
    const head = [`${inflight} in flight`, ...columns]
    return table(
      head,
      rows.map((row) => [
        row.name.startsWith('cinnabar') ? `**${titles[row.name]}**` : titles[row.name],
        ...cellsOf(row),
      ]),
    )
  })
  return `## ${group.title}\n\n_× base: ${titles[group.baseline]}_\n\n${parts.join('\n\n')}`
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, n) => (n === 0 ? '---' : '--:'))), ...rows.map(line)].join('\n')
}

/** The table on the terminal. */
import { isPeer, titles } from '../contenders/titles.mjs'
import { cellsOf, columns } from './format.mjs'

const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text)
const dim = (text) => (process.stdout.isTTY ? `\x1b[2m${text}\x1b[0m` : text)
const FIRST = Math.max(...Object.values(titles).map((title) => title.length)) + 2
const widths = columns.map((column) => Math.max(column.length, 6) + 2)
widths[1] = 14

export function printGroup(group) {
  console.log(`\n${bold(group.title)} ${dim(`(× base: against ${titles[group.baseline]})`)}`)
  for (const { inflight, rows } of group.cells) {
    console.log(
      dim(
        `${String(inflight).padStart(5)} in flight`.padEnd(FIRST) +
          columns.map((text, n) => text.padStart(widths[n])).join(''),
      ),
    )
    for (const row of rows) {
      const line =
        titles[row.name].padEnd(FIRST) +
        cellsOf(row)
          .map((text, n) => text.padStart(widths[n]))
          .join('')
      console.log(isPeer(row.name) ? line : bold(line))
    }
  }
}

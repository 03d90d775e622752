/** The table on the terminal. */
import { isPeer, titles } from '../contenders/titles.mjs'
import { columnsOf } from './format.mjs'

const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text)
const dim = (text) => (process.stdout.isTTY ? `\x1b[2m${text}\x1b[0m` : text)
const FIRST = Math.max(...Object.values(titles).map((title) => title.length)) + 2
const widthOf = (head) => (head === 'min–max' ? 14 : Math.max(head.length, 6) + 2)

export function printGroup(group) {
  console.log(`\n${bold(group.title)} ${dim(`(× base: against ${titles[group.baseline]})`)}`)
  const columns = columnsOf(group)
  const cells = (textOf) => columns.map(([head, cell]) => textOf(head, cell).padStart(widthOf(head))).join('')
  for (const { inflight, rows } of group.cells) {
    console.log(dim(`${String(inflight).padStart(5)} ${group.unit}`.padEnd(FIRST) + cells((head) => head)))
    for (const row of rows) {
      const line = titles[row.name].padEnd(FIRST) + cells((_, cell) => cell(row))
      console.log(isPeer(row.name) ? line : bold(line))
    }
  }
}

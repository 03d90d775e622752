/** Where a run is kept: by date and as the latest when it was the whole bench, else as `quick.*`, which git ignores. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toChart } from './chart.mjs'
import { toMarkdown } from './markdown.mjs'

const folder = new URL('../results/', import.meta.url)

/** The six panels of the summary; the rest is in the other chart. */
const HEADLINES = ['get-400B', 'get-32KB', 'limit', 'session', 'process', 'messages']

export function writeResults(results, { full }) {
  mkdirSync(folder, { recursive: true })
  const name = full ? 'latest' : 'quick'
  const dated = full ? results.machine.date.slice(0, 16).replace('T', '-').replace(':', '') : 'quick'
  const headlines = results.groups.filter(({ id }) => HEADLINES.includes(id))
  const files = {
    [`${dated}.json`]: `${JSON.stringify(results, null, 1)}\n`,
    [`${name}.md`]: toMarkdown(results),
    [`${name}.svg`]: toChart({ ...results, groups: headlines.length ? headlines : results.groups }),
    [`${name}-all.svg`]: toChart(results),
  }
  for (const [file, text] of Object.entries(files)) writeFileSync(new URL(file, folder), text)
  return Object.keys(files).map((file) => fileURLToPath(new URL(file, folder)))
}

// The modules of the reference, their sidebar and their list, from the exports of the package and the files that TypeDoc has written.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What an application imports: `{ name, file, folder }`, with the declarations of each, and the folder of its pages. */
export function modules() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.entries(exports)
    .filter(([, { types }]) => types)
    .map(([path, { types }]) => ({
      name: `cinnabar${path.slice(1)}`,
      file: join(root, types),
      folder: basename(types, '.d.ts'),
    }))
}

/** Gives the pages of modules the names by which they are imported, and lists them on the first page of the reference. */
export function nameModules(pages) {
  const lines = modules().map(({ name, folder }) => {
    const page = join(pages, 'reference', folder, 'index.md')
    writeFileSync(page, readFileSync(page, 'utf8').replace(/^# .*$/m, `# ${name}`))
    return `- [\`${name}\`](${folder}/index.md)`
  })
  const about =
    'What the package declares, with the documentation of each declaration. The [guides](../index.md) say what it is for.'
  writeFileSync(join(pages, 'reference/index.md'), `# Reference\n\n${about}\n\n${lines.join('\n')}\n`)
}

/**
 * The modules; of the first one also its classes, functions and objects, each with the page that has their methods. All other declarations
 * are on the page of their module: naming them on every page would make most of the site.
 */
export function referenceSidebar(pages) {
  if (!existsSync(join(pages, 'reference'))) return []
  const [main, ...others] = modules()
  const linkTo = (text, folder) => ({ text, link: `/reference/${folder}/` })
  return [
    { text: main.name, items: [linkTo('All declarations', main.folder), ...declarations(pages, main.folder)] },
    { text: 'Other modules', items: others.map(({ name, folder }) => linkTo(name, folder)) },
  ]
}

function declarations(pages, folder) {
  const namesOf = (kind) => readdirSync(join(pages, 'reference', folder, kind)).map((name) => basename(name, '.md'))
  const interfaces = new Set(namesOf('interfaces'))
  const items = ['classes', 'functions', 'variables'].flatMap((kind) =>
    namesOf(kind).map((name) => ({
      text: name,
      link: `/reference/${folder}/${interfaces.has(name) ? 'interfaces' : kind}/${name}`,
    })),
  )
  return items.sort((a, b) => a.text.localeCompare(b.text))
}

// The sidebar of the reference, from the files that TypeDoc has written.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const MAIN = 'index'

/**
 * The modules, the one of `index.d.ts` first: its classes, functions and objects, each with the page that has their methods. All other
 * declarations are on the page of their module; naming them on every page would make most of the site.
 */
export function reference(pages) {
  const folder = join(pages, 'reference')
  if (!existsSync(folder)) return []
  const modules = readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory())
  const others = modules.filter((name) => name !== MAIN).map((name) => linkTo(`cinnabar/${name}`, name))
  return [
    { text: 'cinnabar', items: [linkTo('All declarations', MAIN), ...mainDeclarations(join(folder, MAIN))] },
    { text: 'Other modules', items: others },
  ]
}

const linkTo = (text, path) => ({ text, link: `/reference/${path}/` })

function mainDeclarations(folder) {
  const namesOf = (kind) => {
    const path = join(folder, kind)
    return existsSync(path) ? readdirSync(path).map((name) => name.replace(/\.md$/, '')) : []
  }
  const interfaces = new Set(namesOf('interfaces'))
  const items = ['classes', 'functions', 'variables'].flatMap((kind) =>
    namesOf(kind).map((name) => ({
      text: name,
      link: `/reference/${MAIN}/${interfaces.has(name) ? 'interfaces' : kind}/${name}`,
    })),
  )
  return items.sort((a, b) => a.text.localeCompare(b.text))
}

// `npm run docs`: builds the guides of docs/ and the reference of types/ into a site of static files, site/dist.
//
//   node scripts/docs.mjs                 for a site at the root of its host
//   node scripts/docs.mjs --base /docs/   for a site below a path
//
// It fails for a dead link, for a declaration that TypeDoc cannot read, and if a question of new users does not find its guide.

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

import { modules, nameModules } from '../site/reference.mjs'
import { main, root, run } from './run.mjs'
import { npmPackages } from './setup.mjs'

const site = join(root, 'site')
const build = join(site, '.build')
const pages = join(build, 'pages')
const assets = join(site, 'dist/assets/chunks')

/** A program of the site's own packages. */
const program = (path, args) => run(process.execPath, [join(site, 'node_modules', path), ...args], { cwd: site })

/** Writes the reference in Markdown, a page for each declaration. */
async function writeReference() {
  const files = modules().map(({ file }) => file)
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2022', 'esnext.disposable', 'dom'],
    module: 'nodenext',
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  }
  writeFileSync(join(build, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  const options = {
    name: 'Reference',
    entryPoints: files,
    tsconfig: join(build, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    out: join(pages, 'reference'),
    router: 'member',
    entryFileName: 'index',
    readme: 'none',
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    useHTMLEncodedBrackets: true,
    sanitizeComments: true,
    disableSources: true,
    excludePrivate: true,
    excludeExternals: true,
    // Some modules declare for packages that only their users install, such as Next.js.
    skipErrorChecking: true,
    // The parts of a type that are not exported are shown in it.
    validation: { notExported: false, invalidLink: true, invalidPath: true },
    treatWarningsAsErrors: true,
  }
  writeFileSync(join(build, 'typedoc.json'), JSON.stringify(options, null, 2))
  await program('typedoc/bin/typedoc', ['--options', join(build, 'typedoc.json')])
  nameModules(pages)
}

/** Searches the index of the built site for the questions of new users, as its search does. */
async function askQuestions() {
  const { QUESTIONS } = await import(pathToFileURL(join(site, 'questions.mjs')))
  const MiniSearch = createRequire(join(site, 'package.json'))('minisearch')
  const { default: config } = await import(pathToFileURL(join(site, '.vitepress/config.mjs')))
  const [file] = readdirSync(assets).filter((name) => name.startsWith('@localSearchIndexroot'))
  const { default: json } = await import(pathToFileURL(join(assets, file)))
  const { searchOptions } = config.themeConfig.search.options.miniSearch
  const index = MiniSearch.loadJSON(json, { fields: ['title', 'titles', 'text'], storeFields: ['title', 'titles'] })

  const lost = QUESTIONS.flatMap(([question, words, guide]) => {
    const found = index.search(words, searchOptions).slice(0, 3)
    const places = found.map(({ id }) =>
      id
        .split('/')
        .at(-1)
        .split('#')[0]
        .replace(/\.html$/, ''),
    )
    return places.includes(guide) ? [] : [`"${question}" (${words}) finds ${places.join(', ')}, not ${guide}`]
  })
  if (lost.length > 0) throw new Error(lost.join('\n'))
  console.log(`${QUESTIONS.length} questions find their guides.`)
}

await main(async () => {
  await npmPackages()
  await npmPackages(site)
  rmSync(build, { recursive: true, force: true })
  mkdirSync(pages, { recursive: true })
  for (const name of readdirSync(join(root, 'docs'))) {
    if (name.endsWith('.md')) cpSync(join(root, 'docs', name), join(pages, name))
  }
  await writeReference()
  await program('vitepress/bin/vitepress.js', ['build', '.', ...process.argv.slice(2)])
  await askQuestions()
  if (existsSync(join(site, 'dist/index.html'))) console.log(`The site is in ${join(site, 'dist')}.`)
})

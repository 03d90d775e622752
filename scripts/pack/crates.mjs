// The crates whose code is in an addon, as Cargo resolves them for its platform.

import { root, run } from '../run.mjs'

// Their C sources are compiled and linked, though Cargo has them for the build only.
const COMPILED_IN = ['lua-src']

/** Returns the crates in the addon of a target such as `x86_64-unknown-linux-gnu`: `[{ name, version, license, path, isOurs }]`. */
export async function linkedCrates(target) {
  const args = ['metadata', '--format-version', '1', '--locked', '--features', 'fred', '--filter-platform', target]
  const { packages, resolve } = JSON.parse(await run('cargo', args, { cwd: root, quiet: true }))
  const [byId, nodes] = [packages, resolve.nodes].map((list) => new Map(list.map((each) => [each.id, each])))
  const linked = new Set(packages.filter(({ name }) => COMPILED_IN.includes(name)).map(({ id }) => id))
  const follow = (id) => {
    if (linked.has(id) || isMacro(byId.get(id))) return
    linked.add(id)
    for (const { pkg, dep_kinds } of nodes.get(id).deps) if (dep_kinds.some(({ kind }) => kind === null)) follow(pkg)
  }
  follow(resolve.root)
  return [...linked].map((id) => describe(byId.get(id))).sort((a, b) => (a.name < b.name ? -1 : 1))
}

function isMacro({ targets }) {
  return targets.some(({ kind }) => kind.includes('proc-macro'))
}

// Crates of this repository have no source.
function describe({ name, version, license, manifest_path, source }) {
  return { name, version, license, path: manifest_path, isOurs: source === null }
}

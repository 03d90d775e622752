/** Installs what cinnabar is measured beside, from the lock file, when it is not there yet. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../', import.meta.url)
const readJson = (path) => JSON.parse(readFileSync(new URL(path, folder), 'utf8'))

/** Name → version for every peer; null where one is missing, which its contender will report. */
export function installPeers() {
  const wanted = versions(readJson('package.json').dependencies)
  const complete = () => Object.entries(wanted).every(([name, version]) => installed(name) === version)
  if (!complete()) {
    console.log('Installing the peers from bench/package-lock.json …')
    const windows = process.platform === 'win32'
    spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: fileURLToPath(folder),
      env: withoutNpmSettings(),
      stdio: 'inherit',
      shell: windows,
    })
  }
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, installed(name)]))
}

/** A package that is there twice, as `npm:connect-redis@8.1.0`, has its version at the end. */
function versions(dependencies) {
  return Object.fromEntries(Object.entries(dependencies).map(([name, version]) => [name, version.split('@').pop()]))
}

function installed(name) {
  try {
    return readJson(`node_modules/${name}/package.json`).version
  } catch {
    return null
  }
}

/** An outer `npm run` hands its own project down in variables, which would point the inner npm at the wrong folder. */
function withoutNpmSettings() {
  const outer = /^npm_(config_local_prefix|config_prefix|package_|lifecycle_)/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !outer.test(name)))
}

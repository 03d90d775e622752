// A machine that has none of this: an empty folder, an empty home with empty caches, and a PATH with nothing but Node.js and npm.

import { execFile } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { program } from '../../scripts/system.mjs'
import { background, end, ready, temporaryFolder } from '../support/processes.mjs'

/** An empty application for which packages come from this registry. */
export class Stranger {
  #env

  constructor(registry) {
    const folder = temporaryFolder('stranger')
    const [home, bin] = ['home', 'bin'].map((name) => join(folder, name))
    this.app = join(folder, 'app')
    for (const path of [home, bin, this.app]) mkdirSync(path)
    symlinkSync(process.execPath, join(bin, 'node'))
    // npm runs commands by it, and the link to npm is followed from where npm is.
    symlinkSync('/bin/sh', join(bin, 'sh'))
    const npm = join(dirname(realpathSync(program('npm'))), 'npm-cli.js')
    writeFileSync(join(bin, 'npm'), `#!/bin/sh\nexec node ${npm} "$@"\n`, { mode: 0o755 })
    this.#env = { PATH: bin, HOME: home, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(home, 'deno') }
    this.#env.YARN_NPM_REGISTRY_SERVER = registry
    writeFileSync(join(home, '.npmrc'), `registry=${registry}\n`)
    this.write('package.json', '{ "name": "app", "private": true }')
  }

  write(path, content) {
    mkdirSync(dirname(join(this.app, path)), { recursive: true })
    writeFileSync(join(this.app, path), content)
  }

  /** Runs a program in the application's folder. Resolves to what it printed; what it printed otherwise is in the error. */
  async run(command, args, { env, minutes = 5 } = {}) {
    const options = { cwd: this.app, env: { ...this.#env, ...env }, timeout: minutes * 60_000, maxBuffer: 64 << 20 }
    const { stdout } = await promisify(execFile)(command, args, options).catch((error) => {
      throw new Error(`${command} ${args.join(' ')}: ${error.message}\n${error.stdout}${error.stderr}`)
    })
    return stdout
  }

  /** Starts a program that goes on, and waits for its first line. Resolves to `{ printed, stop }`. */
  async start(command, args, env) {
    const log = join(this.app, 'log')
    const child = background(command, args, { cwd: this.app, env: { ...this.#env, ...env }, log })
    await ready(child, `${command} ${args.join(' ')}`, () => child.log().includes('\n'), { seconds: 120 })
    return { printed: child.log().trim(), stop: () => end(child) }
  }

  /** The bytes of all files that are installed, however often they are linked. */
  bytes() {
    const folder = join(this.app, 'node_modules')
    const files = readdirSync(folder, { recursive: true }).map((name) => lstatSync(join(folder, name)))
    const byInode = new Map(files.map(({ ino, size }) => [ino, size]))
    return [...byInode.values()].reduce((sum, size) => sum + size, 0)
  }
}

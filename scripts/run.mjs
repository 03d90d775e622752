// Runs one program, prints its command line and passes its output through.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Runs a program until it exits and returns its output; rejects when it fails.
 * Standard input is closed: nothing may wait for a keyboard.
 */
export function run(command, args, { cwd = root, env = {}, quiet = false } = {}) {
  if (!quiet) console.log(`$ ${[command, ...args].join(' ')}`)
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      // On Windows npm is a .cmd file, which only a shell starts.
      shell: process.platform === 'win32',
    })
    const printed = []
    child.stdout.on('data', (chunk) => {
      printed.push(chunk)
      if (!quiet) process.stdout.write(chunk)
    })
    child.on('error', reject)
    child.on('close', (status, signal) => {
      const output = Buffer.concat(printed).toString()
      if (status === 0) resolve(output)
      else reject(Object.assign(new Error(`${command} ended with ${signal ?? `status ${status}`}`), { output }))
    })
  })
}

/** Runs the main function of a script; an error is printed as one readable line. */
export async function main(action) {
  try {
    await action()
  } catch (error) {
    console.error(`\n${error.message}`)
    process.exitCode = 1
  }
}

import { readFileSync } from 'node:fs'

/** The lines of code in a file, without blank ones and comments. */
export function linesOf(file) {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(?:\/\/.*|\/?\*.*)?$/.test(line))
}

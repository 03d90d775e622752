// The package's type declarations as one text, for tests that compare them with what the code does.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'types')

/** All of `types/`, file by file. */
export const declarations = readdirSync(folder)
  .sort()
  .map((name) => readFileSync(join(folder, name), 'utf8'))
  .join('\n')

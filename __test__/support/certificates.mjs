// Certificates made for one run, by the openssl program: an authority of our own and what it signs.

import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { program } from '../../scripts/system.mjs'
import { temporaryFolder } from './processes.mjs'

const day = 86_400_000

/**
 * An authority in a folder that goes with this process: `{ caFile, ca, sign }`. `sign(name, { names, uses, expired })`
 * resolves with `{ certFile, keyFile, cert, key }`: files for a server and texts for a client.
 */
export async function authority(name = 'Faults') {
  const openssl = program('openssl')
  if (!openssl) throw new Error('openssl not found: run npm run setup')
  const folder = temporaryFolder('certificates')
  const path = (file) => join(folder, file)
  const run = (...args) => promisify(execFile)(openssl, args, { cwd: folder })
  const text = (file) => readFileSync(path(file), 'utf8')

  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  // Only `openssl ca` lets both ends of a certificate's life be chosen, in every version.
  writeFileSync(path('index'), '')
  writeFileSync(
    path('ca.conf'),
    `[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ca]
default_ca = faults
[faults]
dir = ${folder}
database = $dir/index
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
`,
  )
  const subject = ['-subj', `/CN=${name} Authority`]
  await run(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '2',
    ...subject,
    '-config',
    'ca.conf',
    '-extensions',
    'authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  )

  async function sign(
    file,
    { names = ['DNS:localhost', 'IP:127.0.0.1'], uses = ['serverAuth'], expired = false } = {},
  ) {
    writeFileSync(path(`${file}.ext`), `subjectAltName=${names.join(',')}\nextendedKeyUsage=${uses.join(',')}\n`)
    await run(
      'req',
      '-new',
      ...newKey,
      '-subj',
      `/CN=${file}`,
      '-config',
      'ca.conf',
      '-keyout',
      `${file}.key`,
      '-out',
      `${file}.csr`,
    )
    const [from, to] = expired ? [-3, -1] : [-1, 2]
    const life = ['-startdate', stamp(from), '-enddate', stamp(to)]
    const signer = ['-cert', 'ca.crt', '-keyfile', 'ca.key']
    await run(
      'ca',
      '-batch',
      '-config',
      'ca.conf',
      ...signer,
      ...life,
      '-extfile',
      `${file}.ext`,
      '-in',
      `${file}.csr`,
      '-out',
      `${file}.crt`,
      '-notext',
    )
    return {
      certFile: path(`${file}.crt`),
      keyFile: path(`${file}.key`),
      cert: text(`${file}.crt`),
      key: text(`${file}.key`),
    }
  }

  return { caFile: path('ca.crt'), ca: text('ca.crt'), sign }
}

/** A time so many days from now, as openssl writes it. */
function stamp(days) {
  return new Date(Date.now() + days * day).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
}

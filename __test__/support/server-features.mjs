// What the server has that the specs start: Debian's, or one of `npm run servers`. Where it lacks something, a spec says what is right then.

import { execFileSync, spawnSync } from 'node:child_process'

import { serverProgram } from './redis.mjs'

const program = serverProgram()
if (!program) throw new Error('redis-server not found: run npm run setup')
const [, name, major] = /(\w+) server v=(\d+)\./.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))

/** Whether it is Redis 7 or later, or Valkey, of which the first version came after that. */
const since7 = Number(major) >= 7

export const has = {
  /** `BLMPOP` and `BZMPOP`. */
  popsOfSeveralKeys: since7,
  /** `EXPIRE` with a condition, such as `NX`. */
  conditionalExpire: since7,
  /** `FUNCTION` and `FCALL`. */
  functions: since7,
  /** `PEXPIRETIME`. */
  pexpiretime: since7,
  /** `SSUBSCRIBE` and `SPUBLISH`. */
  shardedChannels: since7,
  /** A setting for how much is loaded between two replies that it still loads: 2 MiB on Redis 6.2. */
  loadingInterval: since7,
  /** `unpack` in scripts with whatever bounds. Redis 6.2 dies of `unpack({}, 0, 2147483647)`. */
  safeUnpack: since7,
  /** Whether scripts read the very clock that MONITOR does. Valkey's counts the processor's ticks in between, so it is off by some µs. */
  oneClock: name === 'Redis',
  /** TLS, which not every build has. */
  get tls() {
    // Without certificates none starts.
    const { stdout, stderr } = spawnSync(program, ['--port', '0', '--tls-port', '1'], { encoding: 'utf8' })
    return !/Bad directive|Failed finding TLS support/.test(stdout + stderr)
  },
  /** `ACL DRYRUN`, by which one asks what a user may do before anything is done. */
  dryRun: since7,
}

/** The arguments with which it runs `DEBUG`; Redis 6.2 always does. */
export const withDebug = since7 ? ['--enable-debug-command', 'yes'] : []

// Random headers as strangers may send them: as lines of a request, and as the objects in which programs have them.

const LONG = 65_536

/** In most requests, so that it can be searched in what is logged. */
export const MARKER = 'Zq_x'

/** A generator of requests, `{ method, lines, isUser, encoding, asObject }`, repeatable by its seed; `real` is the token of a session that exists. */
export function makeShapes(seed, real) {
  const random = dice(seed)
  const below = (count) => Math.floor(random() * count)
  const pick = (list) => list[below(list.length)]
  const many = (most, make) => Array.from({ length: below(most) + 1 }, make)
  const hex = (count) => Array.from({ length: count }, () => pick('0123456789abcdef')).join('')
  const marker = () => `${MARKER}${hex(8)}`

  const odd = [
    () => '',
    () => ' ',
    () => '%00',
    () => '%',
    () => '%ff%fe',
    () => '%u0041',
    () => '%ED%A0%80',
    () => '\u0000',
    () => '\ud800',
    () => 'a\udfff',
    () => 'ünïcödé',
    () => '😀'.repeat(below(50)),
    () => '\u202e\ufeff',
    () => '\x80\xff',
    () => '\x01\x1b[31m',
    () => '__proto__',
    () => 'constructor',
    () => 'toString',
    () => '[object Object]',
    () => '{"userId":"root"}',
    () => 'j:{"userId":"root"}',
    () => "' OR 1=1 --",
    () => '${jndi:ldap://a}',
    () => '../../etc/passwd',
    () => '*',
    () => '{session}',
    () => '"',
    () => '\\"',
    () => `cst_${hex(64)}`,
    () => `cst_${hex(63)}`,
    () => `CST_${hex(64).toUpperCase()}`,
    () => hex(64),
    () => hex(48),
    () => `s:${hex(32)}.${hex(43)}`,
    () => 's:',
    () => 's:.',
    () => real.slice(0, 40),
    () => `${real}%00`,
    () => real.toUpperCase(),
    () => String(below(1e9)),
    () => 'x'.repeat(below(300)),
  ]
  const text = () => many(3, () => pick(odd)()).join('') + (random() < 0.5 ? marker() : '')
  const value = () => {
    const one = text()
    return pick([one, one, `"${one}"`, `"${one}`, encodeURIComponent(one.toWellFormed()), ` ${one} `])
  }
  const names = [
    'session',
    'connect.sid',
    '__Host-session',
    'Session',
    'SESSION',
    '__proto__',
    'constructor',
    '',
    'a b',
  ]
  const pair = () =>
    pick([
      () => `${pick(names)}=${value()}`,
      () => `session=${value()}`,
      () => `connect.sid=${value()}`,
      () => pick(names),
      () => `${pick(names)}==${value()}`,
      () => `=${value()}`,
      () => value(),
      () => '',
    ])()
  const large = () =>
    pick([
      () => `session=${'x'.repeat(LONG)}`,
      () => `session=${'%F0%9F%98%80'.repeat(LONG / 12)}`,
      () => `session="${'"'.repeat(LONG)}`,
      () => Array.from({ length: 3000 }, (_, at) => `c${at}=${hex(4)}`).join('; '),
      () => Array.from({ length: 3000 }, () => 'session=').join(';'),
      () => ';'.repeat(LONG),
      () => '='.repeat(LONG),
      () => ' '.repeat(LONG),
    ])()
  const cookie = () =>
    random() < 0.01 ? large() : many(5, pair).join(pick(['; ', ';', ' ; ', ',', ';;'])) + pick(['', ';', '='])
  const authorization = () =>
    random() < 0.005
      ? `Bearer ${'x'.repeat(LONG)}`
      : pick(['Bearer ', 'bearer  ', 'BEARER\t', 'Bearer', 'Basic ', 'Bearer Bearer ', '', ', Bearer ']) + text()
  const cased = (name) => pick([name, name.toUpperCase(), name.replace(/^./, (letter) => letter.toUpperCase())])
  const line = () =>
    pick([
      () => [cased('cookie'), cookie()],
      () => [cased('cookie'), cookie()],
      () => [cased('cookie'), cookie()],
      () => [cased('authorization'), authorization()],
      () => [cased('origin'), pick(['null', '', 'https://evil.example', 'http://[', text()])],
      () => [cased('sec-fetch-site'), pick(['cross-site', 'same-origin', 'none', '', text()])],
      () => [pick(['__proto__', 'constructor', 'x-forwarded-for', 'x-forwarded-proto', 'referer']), text()],
      // Frameworks log the host.
      () => [cased('host'), pick(['', 'a', ':', 'http://x', '[', 'ü', '%00', '__proto__', 'x'.repeat(5000)])],
    ])()

  return () => {
    const lines = many(4, line)
    const isUser = random() < 0.05
    if (isUser) lines.unshift(['cookie', `session=${real}`])
    return {
      method: pick(['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH']),
      lines,
      isUser,
      encoding: pick(['latin1', 'utf8']),
      /** The same as a program may have them, whose values may be of any type. */
      asObject: () => objectOf(lines, pick),
    }
  }
}

const WRONG = [
  null,
  undefined,
  7,
  true,
  {},
  [],
  [null],
  [['a']],
  Symbol.iterator,
  () => 'session=a',
  Object.create(null),
]

function objectOf(lines, pick) {
  const object = () => {
    const headers = pick([{}, Object.create(null)])
    for (const [name, value] of lines) {
      const before = Object.hasOwn(headers, name) ? [headers[name]].flat() : []
      const own = { value: before.length > 0 ? [...before, value] : pick([value, value, [value], [value, value]]) }
      Object.defineProperty(headers, name, { ...own, enumerable: true, writable: true, configurable: true })
    }
    return headers
  }
  return pick([
    object,
    object,
    () => ({ ...object(), [pick(['cookie', 'Authorization', 'origin'])]: pick(WRONG) }),
    () => lines,
    () => lines.flat(),
    () => [...lines.flat(), 'cookie'],
    () => [...lines, ['cookie', pick(WRONG)]],
    () => new Map(lines),
    () => ({ get: (name) => lines.find(([other]) => other.toLowerCase() === name)?.[1] ?? null, has: () => true }),
    () => ({ get: () => pick(WRONG), has: () => true }),
    () => ({
      get cookie() {
        throw new Error('it cannot be read')
      },
    }),
  ])()
}

/** Fetch `Headers` with those lines that they accept. */
export function fetchHeaders(lines) {
  const headers = new Headers()
  for (const [name, value] of lines) {
    try {
      headers.append(name, value)
    } catch {
      // As a server would have refused it.
    }
  }
  return headers
}

function dice(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

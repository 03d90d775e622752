'use strict'

// Which features suffer if the server removes keys when it is full.

/** Checks the eviction policy against what is used; where nothing is known of that, against all features. */
function checkEviction(report, info, use) {
  const policy = info.get('maxmemory_policy')
  if (!policy) return
  if (policy === 'noeviction') {
    report.ok('eviction', 'keys are never evicted (noeviction)')
    return
  }
  const takesAll = policy.startsWith('allkeys')
  const known = use.used.length > 0
  const harmed = (known ? use.used : use.examined).filter(({ lost, kept }) => lost && (takesAll || !kept))
  if (harmed.length === 0) {
    report.ok('eviction', `when it is full, the server evicts keys (${policy}), which harms nothing that is used`)
    return
  }
  const list = harmed.map(({ name, lost }) => `${name} (${lost})`).join(', ')
  if (info.get('maxmemory') === '0') {
    const found = `the policy is ${policy}; once maxmemory is set, that would harm ${list}`
    report.note('eviction', 'eviction-possible', found, REMEDY)
    return
  }
  const found = `when it is full, the server evicts keys (${policy}), which harms ${list}`
  // Jobs are the one thing that exists nowhere else.
  const level = known && harmed.some(({ kept }) => kept) ? 'error' : 'warning'
  report[level]('eviction', 'eviction', found, REMEDY)
}

const REMEDY = 'set maxmemory-policy noeviction, and use another server for what may be evicted, such as the cache'

module.exports = { checkEviction }

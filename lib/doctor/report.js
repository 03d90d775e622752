'use strict'

// What an examination has found.

/** From the worst. A note is no fault: it says what follows if something is used, or what could not be found out. */
const LEVELS = ['error', 'warning', 'note', 'ok']

/** The findings in order: `{ check, code, level, found, remedy }`, where `remedy` says what to do, or is null. */
class Report {
  /** The address, without a password; null while it is unknown. */
  target = null
  /** `{ product, version }`; null for what is unknown. */
  server = { product: null, version: null }
  findings = []

  error(check, code, found, remedy) {
    this.#add('error', check, code, found, remedy)
  }

  warning(check, code, found, remedy) {
    this.#add('warning', check, code, found, remedy)
  }

  note(check, code, found, remedy = null) {
    this.#add('note', check, code, found, remedy)
  }

  ok(check, found) {
    this.#add('ok', check, 'ok', found, null)
  }

  has(level) {
    return this.findings.some((finding) => finding.level === level)
  }

  /** How many there are of each level. */
  get counts() {
    const count = (level) => this.findings.filter((finding) => finding.level === level).length
    return Object.fromEntries(LEVELS.map((level) => [level, count(level)]))
  }

  #add(level, check, code, found, remedy) {
    this.findings.push({ check, code, level, found, remedy })
  }
}

module.exports = { LEVELS, Report }

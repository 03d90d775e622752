'use strict'

// Observes a server for one interval, or again and again on a screen.

const { setTimeout: delay } = require('node:timers/promises')

const { now } = require('../../clock.js')
const { messageOf } = require('../../health/status.js')
const { painter } = require('../terminal.js')
const { printable } = require('../text.js')
const { linesOf } = require('./draw.js')
const { Screen } = require('./screen.js')
const { viewOf } = require('./view.js')

const PING_EVERY_MS = 100

/** The view of one interval. */
async function observe(source, interval) {
  const before = await source.read()
  await pingFor(source, interval)
  return viewOf(source, before, await source.read())
}

/** Shows views on the terminal until it is ended; resolves to the exit code. A failed call is shown, and made again. */
async function watch(source, interval) {
  const screen = new Screen()
  const paint = painter(process.stdout)
  const frame = { view: null, problem: null }
  const redraw = () => screen.draw(linesWith(frame, screen.size, paint))
  screen.open(redraw)
  try {
    return await Promise.race([screen.ended, repeat(source, interval, frame, screen, redraw)])
  } finally {
    screen.close()
  }
}

// Ends with the screen.
async function repeat(source, interval, frame, screen, redraw) {
  let before = null
  while (screen.isOpen) {
    const started = now()
    try {
      if (before) await pingFor(source, interval)
      const after = await source.read()
      Object.assign(frame, { view: viewOf(source, before, after), problem: null })
      before = after
    } catch (error) {
      frame.problem = printable(messageOf(error))
      before = null
      await delay(Math.max(0, interval - (now() - started)))
    }
    redraw()
  }
}

function linesWith({ view, problem }, { columns, rows }, paint) {
  const foot = paint('dim', 'q or Ctrl-C ends')
  const lines = view ? linesOf(view, paint, { columns, rows: rows - 3 }) : []
  const more = problem === null ? [] : [paint('error', problem.slice(0, columns))]
  return [...lines.slice(0, Math.max(0, rows - more.length - 2)), ...more, '', foot]
}

async function pingFor(source, ms) {
  const end = now() + ms
  while (now() < end) {
    await source.ping()
    await delay(Math.max(0, Math.min(PING_EVERY_MS, end - now())))
  }
}

module.exports = { observe, watch }

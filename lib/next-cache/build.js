'use strict'

const { readFileSync, statSync } = require('node:fs')
const { join } = require('node:path')

// By the folder of the server's files.
const builds = new Map()

/** Whether this process builds the app. */
function isBuilding() {
  return process.env.NEXT_PHASE === 'phase-production-build'
}

/** Returns the build in a folder, `{ id, startedAt }`, or `undefined` if the folder has no build, as in development. */
function buildIn(serverDistDir) {
  if (typeof serverDistDir !== 'string') return undefined
  if (!builds.has(serverDistDir)) builds.set(serverDistDir, readBuild(join(serverDistDir, '..', 'BUILD_ID')))
  return builds.get(serverDistDir)
}

// The file is written before the first page is rendered.
function readBuild(file) {
  try {
    const id = readFileSync(file, 'utf8').trim()
    return id === '' ? undefined : { id, startedAt: statSync(file).mtimeMs }
  } catch {
    return undefined
  }
}

module.exports = { buildIn, isBuilding }

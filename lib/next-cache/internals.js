'use strict'

// Modules of Next.js that it does not document. Without them, everything but what they are for works.
const FILES = 'next/dist/server/lib/incremental-cache/file-system-cache'
const LIFETIMES = 'next/dist/server/lib/incremental-cache/shared-cache-controls.external.js'

const loaded = new Map()

/** What Next.js itself reads a prerendered page or route from, or `undefined`. */
function prerendered({ fs, serverDistDir }) {
  const Reader = load(FILES, () => require('next/dist/server/lib/incremental-cache/file-system-cache').default)
  return (
    Reader && fs && new Reader({ fs, serverDistDir, flushToDisk: false, maxMemoryCacheSize: 0, revalidatedTags: [] })
  )
}

/**
 * Has Next.js 15 know for how long a page is valid that another instance has rendered. Otherwise it has no `Cache-Control`, and is replaced
 * after a second. Next.js 16 takes it from the entry.
 */
function setLifetime(cacheKey, cacheControl) {
  const read = () =>
    require('next/dist/server/lib/incremental-cache/shared-cache-controls.external.js').SharedCacheControls
  load(LIFETIMES, read)?.cacheControls?.set(cacheKey, cacheControl)
}

function load(name, read) {
  if (!loaded.has(name)) {
    try {
      loaded.set(name, read())
    } catch {
      loaded.set(name, undefined)
    }
  }
  return loaded.get(name)
}

module.exports = { prerendered, setLifetime }

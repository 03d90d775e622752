'use strict'

// What runtimes without Node-API get: edge functions, workers, browsers.
throw new Error(
  'cinnabar is a native addon and runs in Node.js, Deno and Bun, not in an edge runtime or a browser. ' +
    "In Next.js, use the Node.js runtime for this route: export const runtime = 'nodejs'.",
)

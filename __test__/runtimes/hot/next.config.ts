import { dirname } from 'node:path'

// This app is a folder of the one whose packages it uses.
const root = dirname(import.meta.dirname)

export default { serverExternalPackages: ['cinnabar'], turbopack: { root }, outputFileTracingRoot: root }

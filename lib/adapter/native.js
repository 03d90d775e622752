'use strict'

const { binding } = require('../bridge.js')
const { featureOn } = require('../feature.js')
const { claimPrefix } = require('../prefixes.js')

/** The texts of another library under a prefix. `feature` is its name: others must not have the same keys. */
function adapterOn(service, feature, prefix) {
  const make = (native) => {
    const texts = new binding.Adapter(native, prefix)
    claimPrefix(native, feature, prefix)
    return { native: texts }
  }
  return featureOn(service, make).parts
}

module.exports = { adapterOn }

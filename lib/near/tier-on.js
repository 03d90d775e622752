'use strict'

const { beforeDisconnect } = require('../draining.js')
const { unlimited } = require('../native-service.js')
const { NearTier } = require('./tier.js')

const MAX_BYTES = 64 * 1024 * 1024

/** A near tier over what `source` has, for the option `near`. It forgets its copies when the service is disconnected. */
function nearTierOn(service, source, near, codec) {
  const tier = new NearTier(source, near.maxBytes ?? MAX_BYTES, codec)
  // Weakly, since the service may outlive the feature.
  const weak = new WeakRef(tier)
  beforeDisconnect(unlimited(service), () => weak.deref()?.forgetAll())
  return tier
}

module.exports = { nearTierOn }

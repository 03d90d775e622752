'use strict'

const { binding } = require('../bridge.js')
const { argumentError } = require('../error.js')
const { describe, stringsOf } = require('../options.js')

/** The texts of an `AddressList`; `undefined` for anything else. */
let textsOf

/** Addresses and networks. */
class AddressList {
  #native
  #networks

  constructor(networks) {
    this.#networks = networks
    this.#native = new binding.AddressList(networks)
    Object.freeze(this)
  }

  includes(ip) {
    if (ip === null || ip === undefined) return false
    if (typeof ip !== 'string') throw argumentError(`ip must be a string, got ${describe(ip)}`)
    return this.#native.includes(ip)
  }

  static {
    textsOf = (list) => (typeof list === 'object' && list !== null && #networks in list ? list.#networks : undefined)
  }
}

function addressList(networks) {
  return new AddressList(checkedNetworks(stringsOf(networks, 'networks'), 'networks'))
}

/** These texts, if each of them is an address or a network. */
function checkedNetworks(texts, name) {
  const wrong = texts.findIndex((text) => !binding.AddressList.isNetwork(text))
  if (wrong < 0) return texts
  const got = JSON.stringify(texts[wrong].slice(0, 50))
  throw argumentError(`${name}[${wrong}] must be an address or a network such as '10.0.0.0/8', got ${got}`)
}

module.exports = {
  addressList,
  checkedNetworks,
  textsOf,
}

'use strict'

/**
 * Calls `settle` once with the status of a response of Node.js, when it was sent. A client may close the connection before a stream has
 * ended: its status is then known too, unless not even the headers were sent.
 */
function settleWhenSent(response, settle) {
  const end = () => {
    response.removeListener('finish', end)
    response.removeListener('close', close)
    settle(response.statusCode)
  }
  const close = () => {
    if (response.headersSent) end()
  }
  response.on('finish', end)
  response.on('close', close)
}

module.exports = { settleWhenSent }

// Starts the parts of the page. Each part owns one card.
import './cache.js'
import './counter.js'
import './health.js'
import './jobs.js'
import './limit.js'
import './room.js'
import './session.js'
import './trouble.js'

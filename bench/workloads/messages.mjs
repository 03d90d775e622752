/** From a publish to the handler of a subscriber, parsed: how late, and how many a second; in two processes and in one. */
import { openPush } from '../suite/push.mjs'
import { startSender } from '../suite/sender-process.mjs'
import { Sender } from '../suite/sender.mjs'

const CONTENDERS = ['cinnabar', 'ioredis', 'ioredis-auto', 'node-redis']

/** A message a millisecond: its latency is then that of delivery, without the time it waited to be sent. */
const paced = { unit: 'messages/s', inflight: [1000], fixed: true, figure: 'p50Micros' }
const flood = { unit: 'in flight', inflight: [1, 64] }

export const latency = messages('latency', 'Publish to handler, two processes', paced, inTwo)
export const latencyAlone = messages('latency-alone', 'Publish to handler, one process', paced, inOne)
export const rate = messages('messages', 'Messages published and handled, two processes', flood, inTwo)
export const rateAlone = messages('messages-alone', 'Messages published and handled, one process', flood, inOne)

function messages(name, title, dial, open) {
  return {
    name,
    title,
    ...dial,
    shape: 'push',
    baseline: 'ioredis',
    contenders: CONTENDERS,
    async prepare(client, cell, self) {
      // Everybody listens all the time, so each hears only its own.
      const channel = `bench:${process.pid}`
      const sender = await open(client, { ...self, channel, paced: dial === paced })
      return openPush(client, sender, channel)
    },
  }
}

function inTwo(client, options) {
  return startSender(options)
}

function inOne(client, { channel, paced }) {
  return new Sender((message) => client.publish(channel, message), { paced })
}

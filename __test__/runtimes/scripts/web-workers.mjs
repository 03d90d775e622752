// Loads the addon in Web Workers only, never here. Prints how many succeeded.

const total = 40
let settled = 0
let next = 0

for (; next < 4; next++) await work(next)
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (next < total) await work(next++)
  }),
)
console.log(JSON.stringify({ settled }))

async function work(number) {
  const worker = new Worker(new URL('web-worker.mjs', import.meta.url), { type: 'module' })
  const heard = () =>
    new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.onerror = ({ message }) => reject(new Error(message))
    })
  if ((await heard()) === 'settled') settled++
  // Half of them end by themselves, the others are ended in the middle of a call.
  if (number % 2 === 0) {
    const over = heard()
    worker.postMessage('end')
    await over
  }
  worker.terminate()
}

// The life of a worker thread in these scripts.

/**
 * Waits until a worker has said something, calls `settled`, and ends it: one of two by a message, the other in the middle of a call.
 * Resolves once it has ended.
 */
export async function live(worker, number, settled) {
  const ended = new Promise((resolve, reject) => {
    worker.once('exit', resolve)
    worker.once('error', reject)
  })
  await new Promise((resolve) => worker.once('message', resolve))
  settled()
  if (number % 2) await worker.terminate()
  else worker.postMessage('end')
  await ended
}

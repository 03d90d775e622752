export default { files: ['ava/*.mjs'], workerThreads: true, concurrency: 2 }

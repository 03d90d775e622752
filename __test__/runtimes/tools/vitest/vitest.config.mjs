export default { test: { pool: 'threads', maxWorkers: 2, isolate: true, include: ['*.test.mjs'], watch: false } }

// CommonJS sees the same names as an import, and a call works.

const cinnabar = require('cinnabar')

async function main() {
  const imported = await import('cinnabar')
  const names = Object.keys(cinnabar).sort()
  await cinnabar.redisService.set('from', 'CommonJS')
  console.log(
    JSON.stringify({
      names,
      same: names.every((name) => imported[name] === cinnabar[name]),
      value: await imported.redisService.get('from'),
    }),
  )
}

main()

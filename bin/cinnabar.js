#!/usr/bin/env node
'use strict'

// The program `npx cinnabar`. What it can do is in lib/cli.

const { main } = require('../lib/cli/main.js')

main(process.argv.slice(2))

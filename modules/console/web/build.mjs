// Bundles the page into one script and one style: node build.mjs [folder]. The same sources and pins give the same bytes.
import { build } from 'esbuild'
import { copyFile, mkdir } from 'node:fs/promises'

const out = process.argv[2] ?? '../dist'
await mkdir(out, { recursive: true })
const shared = { bundle: true, minify: true, charset: 'utf8', legalComments: 'inline', target: ['es2022', 'chrome123', 'firefox120', 'safari17.5'] }
await build({ ...shared, entryPoints: ['src/main.tsx'], outfile: `${out}/app.js`, format: 'esm', jsx: 'automatic', jsxImportSource: 'preact' })
await build({ ...shared, entryPoints: ['src/style.css'], outfile: `${out}/app.css` })
for (const name of ['index.html', 'icon.svg']) await copyFile(`src/${name}`, `${out}/${name}`)

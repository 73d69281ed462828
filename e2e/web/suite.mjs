// Drives every action of the operators' page in Chromium on a served model, and asks the API from outside what came of it.
import { launch } from './browser.mjs'
import { checkAccess, checkKeyless } from './access.mjs'
import { checkAgents } from './agents.mjs'
import { checkKeys, checkLedger, checkModels, checkExplain, checkOverview } from './views.mjs'
import { checkLooks } from './looks.mjs'
import { client, serve } from './server.mjs'
import { seed } from './seed.mjs'

const admin = 'console-admin-key', user = 'console-user-key'
let failed = 0

export const report = { passed: 0 }
async function check(name, run) {
  try {
    await run()
    report.passed++
    console.log(`ok ${name}`)
  } catch (error) {
    failed++
    console.log(`FAIL ${name}: ${error.stack ?? error}`)
  }
}

const server = await serve({ SEMANTIC_ADMIN_KEY: admin, ANTHROPIC_API_KEY: user })
const browser = await launch()
try {
  const stage = { browser, check, url: server.url, adminKey: admin, userKey: user, operator: client(server.url, admin), user: client(server.url, user), log: server.log }
  await seed(stage)
  await checkAccess(stage)
  await checkLooks(stage)
  await checkOverview(stage)
  await checkAgents(stage)
  await checkExplain(stage)
  await checkLedger(stage)
  await checkKeys(stage)
  await checkModels(stage)
  await check('no key is in the log', async () => {
    const text = await server.log()
    if (text.includes(admin) || text.includes(user)) throw new Error('it is')
  })
} finally {
  await server.stop()
}
const keyless = await serve({})
try {
  await checkKeyless({ browser, check, url: keyless.url })
} finally {
  await keyless.stop()
  await browser.close()
}
console.log(`web: ${report.passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

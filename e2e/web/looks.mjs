// How each view looks and sounds: axe-core in light and dark, no scrolling sideways on a phone, and pictures for the documentation.
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { signIn } from './access.mjs'
import { open, violations } from './browser.mjs'
import { talk } from './seed.mjs'
import { pause, root } from './server.mjs'

const shots = process.env.AGENT_MEMORY_SHOTS && join(root, process.env.AGENT_MEMORY_SHOTS)
const views = { overview: '', agents: 'agents', agent: 'agents/default/researcher', explain: 'explain', ledger: 'ledger', keys: 'keys', models: 'models' }
const kinds = {
  light: { colorScheme: 'light' }, dark: { colorScheme: 'dark' },
  narrow: { colorScheme: 'light', viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 },
}
const pictures = ['overview-light', 'agents-light', 'agent-dark', 'explain-light', 'ledger-dark', 'agents-narrow', 'agent-narrow']

async function shoot(page, name) {
  if (!shots || !pictures.includes(name)) return
  await mkdir(shots, { recursive: true })
  await page.screenshot({ path: join(shots, `console-${name}.png`) })
}

export async function checkLooks({ browser, check, url, adminKey, operator, user }) {
  await operator.ask('POST', '/admin/agents/default/researcher/evict', {})
  await user.say('researcher', talk('steam engines', 120))
  await operator.ask('POST', '/admin/agents/default/planner/retain', { ttl_seconds: 86400 })
  for (const [kind, options] of Object.entries(kinds)) {
    const { context, page, faults } = await open(browser, options)
    await page.goto(`${url}/admin/ui`)
    await page.getByLabel('Admin key').waitFor()
    await check(`sign in, ${kind}: usable by everybody`, async () => assert.deepEqual(await violations(page), []))
    await signIn(page, url, adminKey)
    for (const [view, at] of Object.entries(views)) {
      await check(`${view}, ${kind}: usable by everybody, and as wide as the screen`, async () => {
        const finish = view === 'overview' ? user.occupy('writer', 'poet') : async () => {}
        await page.goto(`${url}/admin/ui#/${at}`)
        if (view === 'explain') await explain(page)
        else await page.locator('table, .empty').first().waitFor()
        if (view === 'overview') await page.getByRole('row').filter({ hasText: 'writer' }).waitFor()
        if (view === 'overview') await page.getByText('decode').first().waitFor()
        await pause(shots && pictures.includes(`${view}-${kind}`) ? 2500 : 300)
        await shoot(page, `${view}-${kind}`)
        assert.deepEqual(await violations(page), [])
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'it scrolls sideways')
        await finish()
      })
    }
    await check(`${kind}: nothing was broken`, async () => assert.deepEqual(faults, []))
    await context.close()
  }
  await check('a dialog is usable by everybody, and colours can be chosen', async () => {
    const { context, page } = await open(browser)
    await signIn(page, url, adminKey)
    await page.goto(`${url}/admin/ui#/keys`)
    await page.getByRole('button', { name: 'Create a key' }).click()
    assert.deepEqual(await violations(page), [])
    await page.keyboard.press('Escape')
    const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    const light = await ground()
    await page.getByRole('button', { name: 'Change to light' }).click()
    assert.equal(await ground(), light)
    await page.getByRole('button', { name: 'Change to dark' }).click()
    assert.notEqual(await ground(), light)
    await context.close()
  })
}

async function explain(page) {
  await page.getByLabel('Prompt').fill(`${talk('rye bread', 20)} But this is new: knead it twice.`)
  await page.getByRole('button', { name: 'Explain', exact: true }).click()
  await page.getByText(/would be read from memory/).waitFor()
}

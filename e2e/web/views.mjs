// The overview, explain, keys and models.
import assert from 'node:assert/strict'
import { signIn } from './access.mjs'
import { open } from './browser.mjs'
import { evil, talk } from './seed.mjs'
import { client, eventually, model } from './server.mjs'

// at signs in and goes to a view.
async function at({ browser, url, adminKey }, view) {
  const opened = await open(browser)
  await signIn(opened.page, url, adminKey)
  await opened.page.getByRole('link', { name: view, exact: true }).click()
  return opened
}

export async function checkOverview(stage) {
  const { check, operator, user } = stage
  const { context, page, faults } = await at(stage, 'Overview')
  await check('the overview shows health, the pool and the tiers as the API tells them', async () => {
    await page.getByText('Ready', { exact: true }).waitFor()
    const pool = await operator.get('/admin/pool')
    for (const tier of pool.tiers) await page.locator('.tier').filter({ hasText: tier.tier }).getByText('healthy').waitFor()
    await page.locator('.tier').filter({ hasText: `${pool.blocks} block` }).first().waitFor()
  })
  await check('requests in flight come and go', async () => {
    await page.getByText('Nothing is being computed').waitFor()
    const finish = user.occupy('writer')
    await page.getByRole('row').filter({ hasText: 'writer' }).getByText(/prefill|decode|queued|restoring/).waitFor()
    await finish()
    await page.getByText('Nothing is being computed').waitFor()
  })
  await check('flush and trim tell what they moved', async () => {
    await page.getByRole('button', { name: /^Flush/ }).click()
    await page.locator('.toast').getByText(/^Stored/).waitFor()
    await page.getByRole('button', { name: /^Trim/ }).click()
    await page.locator('.toast').getByText(/^Freed/).waitFor()
    assert.equal((await operator.get('/admin/pool')).resident_bytes, 0)
  })
  await check('nothing is asked while the page is hidden', async () => {
    let asked = 0
    const count = () => { asked++ }
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })
      document.dispatchEvent(new Event('visibilitychange'))
    })
    await page.waitForTimeout(2500)
    page.on('request', count)
    await page.waitForTimeout(2500)
    assert.equal(asked, 0)
    page.off('request', count)
    await page.evaluate(() => { delete document.hidden; document.dispatchEvent(new Event('visibilitychange')) })
    await page.waitForRequest(/admin\/pool/)
    assert.deepEqual(faults, [])
  })
  await context.close()
}

export async function checkExplain(stage) {
  const { check, user } = stage
  const { context, page, faults } = await at(stage, 'Explain')
  const explain = async (text) => {
    await page.getByLabel('Prompt').fill(text)
    await page.getByRole('button', { name: 'Explain', exact: true }).click()
  }
  await check('a pasted prompt is explained: what is cached, and where it stops', async () => {
    await user.say('reader', talk('rivers', 40))
    await explain(`${talk('rivers', 30)} And then ${evil} it went on.`)
    await page.getByText(/would be read from memory/).waitFor()
    await page.getByText(/From token .* on/).waitFor()
    assert.ok((await page.getByRole('heading', { level: 2 }).innerText()).match(/^[1-9]\d* % is cached$/))
    assert.match(await page.locator('pre').innerText(), /And then/)
    assert.equal(await page.locator('pre img, pre script').count(), 0)
    await page.getByRole('table', { name: 'Cached parts' }).getByText('disk').first().waitFor()
  })
  await check('a whole request is explained, and what is no JSON is told', async () => {
    await page.getByLabel('Agent (optional)').fill('reader')
    await explain(JSON.stringify({ model: 'claude-x', max_tokens: 5, stream: true, messages: [{ role: 'user', content: talk('rivers', 40) }] }))
    await page.getByRole('heading', { name: /^(9\d|100) % is cached/ }).waitFor()
    await explain('{"messages": [')
    await page.locator('.problem').getByText('it is none').waitFor()
    await explain('{"messages": [{"role": "robot", "content": "x"}]}')
    await page.locator('.problem').getByText(/role|messages/).waitFor()
    assert.deepEqual(faults, [])
  })
  await context.close()
}

export async function checkLedger(stage) {
  const { check, operator } = stage
  const { context, page, faults } = await at(stage, 'Ledger')
  const table = page.getByRole('table', { name: 'Ledger' })
  await check('the ledger tells what each agent, tenant and model had, as the API does', async () => {
    const { rows, total } = await operator.get('/admin/ledger?by=agent&limit=1000')
    for (const agent of rows.filter((r) => r.agent)) {
      const cells = await table.getByRole('row').filter({ has: page.getByRole('rowheader', { name: agent.agent, exact: true }) }).getByRole('cell').allInnerTexts()
      const read = agent.tokens_read_pool + agent.tokens_read_disk + agent.tokens_read_object
      assert.deepEqual(cells.slice(1, 5), [agent.requests, agent.tokens_computed, read, agent.tokens_generated].map((n) => n.toLocaleString('en')))
    }
    assert.ok(total.tokens_read_disk > 0)
    await page.getByText(`${total.tokens_read_disk.toLocaleString('en')} from disk`).waitFor()
    for (const by of ['tenant', 'model']) {
      await page.getByLabel('A row for each').selectOption(by)
      const [first] = (await operator.get(`/admin/ledger?by=${by}`)).rows.filter((r) => r[by])
      await table.getByRole('rowheader', { name: first[by], exact: true }).waitFor()
    }
  })
  await check('the ledger is saved as CSV, with the key in a header only', async () => {
    await page.getByLabel('A row for each').selectOption('agent')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as CSV' }).click()])
    assert.equal(download.suggestedFilename(), 'ledger-by-agent.csv')
    const text = (await (await download.createReadStream()).toArray()).join('')
    assert.match(text, /^kind,tenant,agent/)
    assert.match(text, /researcher/)
    assert.deepEqual(faults, [])
  })
  await context.close()
}

export async function checkKeys(stage) {
  const { check, operator, url } = stage
  const { context, page, faults } = await at(stage, 'Keys')
  await check('a key is made, shown once, works, and is revoked', async () => {
    await page.getByRole('button', { name: 'Create a key' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name').fill('for the tests')
    await dialog.getByLabel('Tenant').fill('acme')
    await dialog.getByLabel('agents').uncheck()
    await dialog.getByLabel('Ends after days').fill('30')
    await dialog.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('dialog', { name: 'Your new key' }).waitFor()
    const secret = await page.getByLabel('Key', { exact: true }).inputValue()
    await page.getByRole('button', { name: 'I have it' }).click()
    const listed = (await operator.get('/admin/api-keys')).api_keys.find((k) => k.name === 'for the tests')
    assert.deepEqual([listed.tenant, listed.scopes, listed.status], ['acme', ['messages'], 'active'])
    assert.ok(!(await page.content()).includes(secret))
    const made = client(url, secret)
    assert.equal((await made.ask('GET', '/v1/models')).status, 200)
    await page.getByRole('button', { name: 'Revoke for the tests' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    assert.equal((await made.ask('GET', '/v1/models')).status, 200)
    await page.getByRole('button', { name: 'Revoke for the tests' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('row').filter({ hasText: 'for the tests' }).getByText('revoked').waitFor()
    await eventually('it is refused', async () => (await made.ask('GET', '/v1/models')).status === 401)
  })
  await check('a key that the server refuses to make is told beside the button', async () => {
    await page.getByRole('button', { name: 'Create a key' }).click()
    await page.getByRole('dialog').getByLabel('Tenant').fill('x'.repeat(300))
    await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click()
    await page.getByRole('dialog').locator('.problem:not(:empty)').waitFor()
    await page.keyboard.press('Escape')
  })
  await check('keys of the settings offer no revoking', async () => {
    assert.equal(await page.getByRole('row').filter({ hasText: 'bootstrap-admin' }).getByRole('button').count(), 0)
    assert.deepEqual(faults, [])
  })
  await context.close()
}

export async function checkModels(stage) {
  const { check, operator } = stage
  const { context, page, faults } = await at(stage, 'Models')
  const load = async (id) => {
    await page.getByLabel('Model', { exact: true }).fill(id)
    await page.getByRole('button', { name: 'Load…' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Load', exact: true }).click()
  }
  await check('a model that is not there is told, and the loaded one stays', async () => {
    const before = (await operator.get('/admin/models')).loaded
    await page.getByText(before.fingerprint).waitFor()
    await load('/nowhere/none.gguf')
    await page.getByRole('dialog').locator('.problem:not(:empty)').getByText('/nowhere/none.gguf').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    assert.deepEqual((await operator.get('/admin/models')).loaded, before)
  })
  await check('a model is loaded while the server runs', async () => {
    await load(model)
    await page.locator('.toast').getByText(/is loaded$/).waitFor({ timeout: 60000 })
    assert.equal((await operator.get('/admin/models')).loaded.id, model)
    assert.deepEqual(faults, [])
  })
  await context.close()
}

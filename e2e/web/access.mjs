// Who sees the page, and what other pages can do with it.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { open } from './browser.mjs'

// Signs in and waits for the first view.
export async function signIn(page, url, key) {
  await page.goto(`${url}/admin/ui`)
  await page.getByLabel('Admin key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Overview' }).waitFor()
}

export async function checkAccess({ browser, check, url, adminKey, userKey }) {
  await check('a wrong key and one without the scope are told so', async () => {
    const { context, page } = await open(browser)
    await page.goto(`${url}/admin/ui`)
    for (const [key, says] of [['nonsense', /key/i], [userKey, /scope|admin/i]]) {
      await page.getByLabel('Admin key').fill(key)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.locator('.problem:not(:empty)').waitFor()
      assert.match(await page.locator('.problem').innerText(), says)
      assert.equal(await page.getByRole('navigation').count(), 0)
      assert.equal(await page.evaluate(() => sessionStorage.length), 0)
    }
    await context.close()
  })
  await check('the key stays in the tab, in no cookie and no address, and signing out forgets it', async () => {
    const { context, page, addresses, faults } = await open(browser)
    await signIn(page, url, adminKey)
    await page.reload()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    assert.deepEqual(await context.cookies(), [])
    assert.equal(await page.evaluate(() => Object.values({ ...localStorage }).join()), 'auto')
    assert.deepEqual(addresses.filter((a) => a.includes(adminKey) || !a.startsWith(url)), [])
    const other = await context.newPage()
    await other.goto(`${url}/admin/ui`)
    await other.getByLabel('Admin key').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Admin key').waitFor()
    assert.equal(await page.evaluate(() => sessionStorage.length), 0)
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('no page can frame it', async () => {
    const outside = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(`<iframe src="${url}/admin/ui"></iframe>`))
    await new Promise((resolve) => outside.listen(0, '127.0.0.1', resolve))
    const { context, page } = await open(browser)
    await page.goto(`http://127.0.0.1:${outside.address().port}/`)
    const frame = page.frames()[1]
    assert.equal(await frame.locator('#app').count(), 0)
    await context.close()
    outside.close()
  })
}

export async function checkKeyless({ browser, check, url }) {
  await check('a server without keys asks for none on its own machine', async () => {
    const { context, page, faults } = await open(browser)
    await page.goto(`${url}/admin/ui`)
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.getByRole('link', { name: 'Agents' }).click()
    await page.getByText('There are no agents yet').waitFor()
    await page.getByRole('link', { name: 'Overview' }).click()
    await page.getByRole('button', { name: /^Flush/ }).click()
    await page.locator('.toast').getByText('Stored 0 blocks').waitFor()
    assert.deepEqual(faults, [])
    await context.close()
  })
  await check('another page can change nothing on a server without keys', async () => {
    const outside = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end('<title>elsewhere</title>'))
    await new Promise((resolve) => outside.listen(0, '127.0.0.1', resolve))
    const elsewhere = await browser.newContext()
    const page = await elsewhere.newPage()
    await page.route('http://elsewhere.example/**', (route) => route.fulfill({ contentType: 'text/html', body: '<title>elsewhere</title>' }))
    await page.goto('http://elsewhere.example/')
    const create = { name: 'forged', scopes: ['admin'] }
    const came = await page.evaluate(async ([target, body]) => {
      const tries = []
      for (const type of ['text/plain', 'application/json']) {
        for (const mode of ['cors', 'no-cors']) {
          tries.push(await fetch(target, { method: 'POST', mode, headers: { 'content-type': type }, body }).then((a) => a.type, () => 'refused'))
        }
      }
      return tries
    }, [`${url}/admin/api-keys`, JSON.stringify(create)])
    assert.ok(came.every((c) => c === 'refused' || c === 'opaque'), came.join())
    const { api_keys: keys } = await (await fetch(`${url}/admin/api-keys`)).json()
    assert.deepEqual(keys.filter((k) => k.name === 'forged'), [])
    const forged = await fetch(`${url}/admin/api-keys`, { method: 'POST', headers: { origin: 'http://elsewhere.example', 'content-type': 'application/json' }, body: JSON.stringify(create) })
    assert.equal(forged.status, 403)
    await elsewhere.close()
    outside.close()
  })
}

// A Chromium that watches what the page does: where it asks, what it complains of, whether everybody can use it.
import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import { root } from './server.mjs'

const require = createRequire(`${root}modules/console/web/package.json`)
const { chromium } = require('playwright-core')
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8')

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })

// Opens a page and notes what it must not do. expected are statuses of answers that a test provokes; Chromium tells of each.
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1240, height: 860 }, colorScheme: 'light', reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(15000)
  const faults = [], addresses = []
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('dialog', (dialog) => { faults.push(`a script ran: ${dialog.message()}`); void dialog.dismiss() })
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource: the server responded with a status of/.test(message.text())) faults.push(`console: ${message.text()}`)
  })
  page.on('request', (request) => addresses.push(request.url()))
  return { context, page, faults, addresses }
}

// What axe-core finds wrong with the page as it is now.
export async function violations(page) {
  await page.evaluate(axe)
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
  return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.failureSummary}`).join(' | ')}`)
}

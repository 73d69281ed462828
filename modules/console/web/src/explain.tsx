// Why a prompt is computed: what of it is cached, and the first token that is not.
import { useState } from 'preact/hooks'
import { isHeaderValue, post, type Schemas } from './api'
import { count, duration, percent, plural } from './format'
import { Bar, Field, Form, Heading, Table, type Column } from './parts'
import { tierClass } from './overview'

// requestOf takes a whole request as JSON, or a text as the only message of one.
function requestOf(text: string): Schemas['CountRequest'] {
  if (!text.trimStart().startsWith('{')) return { model: 'claude-console', messages: [{ role: 'user', content: text }] }
  let request: Schemas['CountRequest']
  try {
    request = JSON.parse(text)
  } catch (error) {
    throw new Error(`The text begins like a request in JSON, but it is none: ${(error as Error).message}`)
  }
  const { model = 'claude-console', messages, system, tools, tool_choice, thinking, metadata, output_config, cache_control } = request
  return { model, messages, system, tools, tool_choice, thinking, metadata, output_config, cache_control }
}

export function Explain() {
  const [text, setText] = useState('')
  const [agent, setAgent] = useState('')
  const [tenant, setTenant] = useState('')
  const [found, setFound] = useState<Schemas['Explanation']>()
  const ask = async () => {
    setFound(undefined)
    if (agent && !isHeaderValue(agent)) throw new Error('The agent can be named here by printable ASCII only: its name goes along in a header.')
    const headers: Record<string, string> = agent ? { 'X-Agent-ID': agent } : {}
    setFound(await post('/admin/explain', requestOf(text), { query: { tenant }, headers }))
  }
  return (
    <>
      <Heading>Explain</Heading>
      <p class="hint">Paste a prompt to see how much of it is cached, where, and why the rest is computed. Nothing is computed, and nothing is stored.</p>
      <section class="card">
        <Form submit="Explain" act={ask}>
          <Field label="Prompt" hint="A user's text, or the whole body of a request to /v1/messages as JSON.">
            {(id, hint) => <textarea id={id} aria-describedby={hint} rows={7} required spellcheck={false} value={text} onInput={(e) => setText(e.currentTarget.value)} />}
          </Field>
          <div class="filters">
            <Field label="Agent (optional)">{(id) => <input id={id} autocomplete="off" spellcheck={false} value={agent} onInput={(e) => setAgent(e.currentTarget.value)} />}</Field>
            <Field label="Tenant (optional)">{(id) => <input id={id} autocomplete="off" spellcheck={false} placeholder="your key's" value={tenant} onInput={(e) => setTenant(e.currentTarget.value)} />}</Field>
          </div>
        </Form>
      </section>
      {found && <Found of={found} />}
    </>
  )
}

function Found({ of }: { of: Schemas['Explanation'] }) {
  const whole = Math.max(1, of.prompt_tokens)
  const fresh = of.prompt_tokens - of.cached_tokens
  return (
    <section aria-live="polite">
      <h2>{percent(of.cached_tokens / whole)} is cached</h2>
      <div class="card">
        <Bar label="Cached" segments={[
          ...of.cached.map((c, i) => ({ kind: `${tierClass(c.tiers[0] ?? '')} part${i}`, share: (c.to_token - c.from_token) / whole, label: `tokens ${c.from_token} to ${c.to_token}: ${c.tiers.join(', ')}` })),
        ]} />
        <p>{count(of.cached_tokens)} of {plural(of.prompt_tokens, 'token')} would be read from memory; {count(fresh)} would be computed.{of.respelled && ' The cached tokens spell the same text otherwise than the tokenizer does.'}</p>
        {of.divergence && <Divergence of={of.divergence} />}
        {of.difference && <p>Since the conversation was last asked about, <code>{of.difference.path}</code> was <b>{of.difference.change}</b>.</p>}
      </div>
      {(of.missing ?? []).map((gap) => <p key={gap.block} class="trouble">Tokens {count(gap.from_token)} to {count(gap.to_token)} are {gap.why === 'damaged' ? 'damaged and in quarantine' : 'gone'}.</p>)}
      {of.cached.length > 0 && <><h3>Cached parts</h3><Table caption="Cached parts" columns={partColumns} rows={of.cached} keyOf={(c) => `${c.from_token}`} empty={null} /></>}
    </section>
  )
}

function Divergence({ of }: { of: Schemas['Divergence'] }) {
  return (
    <>
      <p><b>From token {count(of.token)} on</b>{of.path && <> (<code>{of.path}</code>)</>}: {of.reason}.</p>
      <pre class="text" tabIndex={0} role="region" aria-label="The text around the first token that is not cached"><span>{of.text_before}</span><mark>{of.text_after}</mark></pre>
    </>
  )
}

const partColumns: Column<Schemas['Explained']>[] = [
  { name: 'Tokens', isHeader: true, order: (c) => c.from_token, show: (c) => `${count(c.from_token)} to ${count(c.to_token)}` },
  { name: 'Tiers', show: (c) => c.tiers.map((tier) => <span key={tier} class="pill"><i class={tierClass(tier)} />{tier}</span>) },
  { name: 'Used', kind: 'number', order: (c) => c.age_seconds, show: (c) => `${duration(c.age_seconds)} ago` },
]

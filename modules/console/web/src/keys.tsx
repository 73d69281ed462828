// API keys: made, shown once, listed, revoked.
import { useState } from 'preact/hooks'
import { get, post, remove, type Schemas } from './api'
import { ago, moment } from './format'
import { usePoll } from './hooks'
import { Action, Dialog, Field, Form, Heading, Table, tell, Trouble, type Column } from './parts'

type Key = Schemas['APIKey']
type Scope = Key['scopes'][number]

const scopes: Scope[] = ['messages', 'agents', 'admin']

async function readKeys(signal: AbortSignal) {
  const keys: Key[] = []
  let cursor: string | undefined
  do {
    const page = await get('/admin/api-keys', { query: { limit: 100, cursor }, signal })
    keys.push(...page.api_keys)
    cursor = page.next_cursor
  } while (cursor && keys.length < 2000)
  return keys
}

export function Keys() {
  const { value, error, refresh } = usePoll(readKeys, [], 5)
  const [making, setMaking] = useState(false)
  const [made, setMade] = useState<Schemas['NewAPIKey']>()
  const [revoking, setRevoking] = useState<Key>()
  const columns: Column<Key>[] = [
    { name: 'Name', isHeader: true, order: (k) => nameOf(k), show: (k) => nameOf(k) },
    { name: 'Begins with', kind: 'wide', show: (k) => (k.prefix ? <code>{k.prefix}…</code> : <span class="hint">in the settings</span>) },
    { name: 'Tenant', order: (k) => k.tenant, show: (k) => k.tenant },
    { name: 'Scopes', kind: 'wide', show: (k) => k.scopes.map((scope) => <span key={scope} class="pill">{scope}</span>) },
    { name: 'Status', order: (k) => k.status, show: (k) => <span class={k.status === 'active' ? 'state well' : 'state off'}>{k.status}</span> },
    { name: 'Last used', kind: 'wide', order: (k) => Date.parse(k.last_used_at ?? '') || 0, show: (k) => <span title={moment(k.last_used_at)}>{ago(k.last_used_at)}</span> },
    { name: 'Actions', kind: 'actions', show: (k) => !k.bootstrap && k.status === 'active' && <div class="buttons"><Action label="Revoke" name={nameOf(k)} kind="danger" act={() => setRevoking(k)} /></div> },
  ]
  return (
    <>
      <div class="row"><Heading>API keys</Heading><button type="button" class="first" onClick={() => setMaking(true)}>Create a key</button></div>
      <Trouble error={error} />
      {value && <Table caption="API keys" columns={columns} rows={value} keyOf={(k) => k.id}
        empty={<p>There are no keys. Without any the server answers this machine only; create one, and set <code>ANTHROPIC_API_KEY</code> or <code>SEMANTIC_ADMIN_KEY</code> to open it.</p>} />}
      {making && <Create close={() => setMaking(false)} done={(k) => { setMaking(false); setMade(k); refresh() }} />}
      {made && <Shown of={made} close={() => setMade(undefined)} />}
      {revoking && <Revoke of={revoking} close={() => setRevoking(undefined)} done={() => { setRevoking(undefined); refresh() }} />}
    </>
  )
}

const nameOf = (k: Key) => k.name || k.id

function Create({ close, done }: { close: () => void; done: (made: Schemas['NewAPIKey']) => void }) {
  const [name, setName] = useState('')
  const [tenant, setTenant] = useState('default')
  const [chosen, setChosen] = useState<Scope[]>(['messages', 'agents'])
  const [days, setDays] = useState('')
  const create = async () => {
    if (chosen.length === 0) throw new Error('Choose at least one scope: a key without any would get messages and agents.')
    const expires = Number(days) > 0 ? new Date(Date.now() + Number(days) * 86400000).toISOString() : undefined
    done(await post('/admin/api-keys', { name: name || undefined, tenant, scopes: chosen, expires_at: expires }))
  }
  const toggle = (scope: Scope) => setChosen(chosen.includes(scope) ? chosen.filter((s) => s !== scope) : [...chosen, scope])
  return (
    <Dialog title="Create a key" close={close}>
      <Form submit="Create" cancel={close} act={create}>
        <Field label="Name" hint="For people: whose key it is, and what for.">{(id, hint) => <input id={id} aria-describedby={hint} maxLength={200} autocomplete="off" value={name} onInput={(e) => setName(e.currentTarget.value)} />}</Field>
        <Field label="Tenant" hint="Whose memory it reaches.">{(id, hint) => <input id={id} aria-describedby={hint} required autocomplete="off" value={tenant} onInput={(e) => setTenant(e.currentTarget.value)} />}</Field>
        <fieldset><legend>Scopes</legend>{scopes.map((scope) => <label key={scope}><input type="checkbox" checked={chosen.includes(scope)} onChange={() => toggle(scope)} />{scope}</label>)}</fieldset>
        <Field label="Ends after days" hint="Empty: never by itself.">{(id, hint) => <input id={id} aria-describedby={hint} type="number" min="1" max="36500" value={days} onInput={(e) => setDays(e.currentTarget.value)} />}</Field>
      </Form>
    </Dialog>
  )
}

function Shown({ of, close }: { of: Schemas['NewAPIKey']; close: () => void }) {
  const copy = async () => {
    await navigator.clipboard.writeText(of.key)
    tell('The key is copied')
  }
  return (
    <Dialog title="Your new key" close={close}>
      <p>Copy it now. It is shown this once; nobody can tell it later.</p>
      <Field label="Key">{(id) => <input id={id} class="secret" readOnly value={of.key} onFocus={(e) => e.currentTarget.select()} />}</Field>
      <div class="buttons"><Action label="Copy" act={copy} /><button type="button" class="first" onClick={close}>I have it</button></div>
    </Dialog>
  )
}

function Revoke({ of, close, done }: { of: Key; close: () => void; done: () => void }) {
  const revoke = async () => {
    await remove('/admin/api-keys/{id}', { path: { id: of.id } })
    tell(`${nameOf(of)} is revoked`)
    done()
  }
  return (
    <Dialog title="Revoke the key" close={close}>
      <p>Clients with <b class="id">{nameOf(of)}</b> are refused within a second, and their streams are cut. This can't be undone.</p>
      <Form submit="Revoke" kind="danger" cancel={close} act={revoke}>{null}</Form>
    </Dialog>
  )
}

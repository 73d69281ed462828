// Every tenant's agents.
import { useState } from 'preact/hooks'
import { AgentActions } from './agentactions'
import { get, type Schemas } from './api'
import { ago, count, moment, until } from './format'
import { linkTo, useDelayed, usePoll } from './hooks'
import { Field, Heading, Table, Trouble, type Column } from './parts'

type Agent = Schemas['Agent']

const pageSize = 100

// readAgents reads as many pages as hold so many agents.
async function readAgents(prefix: string, tenant: string, wanted: number, signal: AbortSignal) {
  const agents: Agent[] = []
  let cursor: string | undefined
  do {
    const page = await get('/admin/agents', { query: { prefix, tenant, limit: pageSize, cursor }, signal })
    agents.push(...page.agents)
    cursor = page.next_cursor
  } while (cursor && agents.length < wanted)
  return { agents, more: Boolean(cursor) }
}

export function Agents() {
  const [search, setSearch] = useState('')
  const [tenant, setTenant] = useState('')
  const [wanted, setWanted] = useState(pageSize)
  const prefix = useDelayed(search), of = useDelayed(tenant)
  const { value, error, refresh } = usePoll((signal) => readAgents(prefix, of, wanted, signal), [prefix, of, wanted])
  const columns: Column<Agent>[] = [
    { name: 'Agent', isHeader: true, order: (a) => a.id, show: (a) => <a class="id" href={linkTo('agents', a.tenant ?? '', a.id)}>{a.id}</a> },
    { name: 'Tenant', kind: 'wide', order: (a) => a.tenant ?? '', show: (a) => a.tenant },
    { name: 'Tokens', kind: 'number', order: (a) => a.tokens, show: (a) => count(a.tokens) },
    { name: 'Conversations', kind: 'number wide', order: (a) => a.conversations.length, show: (a) => count(a.conversations.length) },
    { name: 'Last used', kind: 'wide', order: (a) => Date.parse(a.last_used_at), show: (a) => <time dateTime={a.last_used_at} title={moment(a.last_used_at)}>{ago(a.last_used_at)}</time> },
    { name: 'Retained', kind: 'wide', order: (a) => Date.parse(a.retain_until ?? '') || 0, show: (a) => <span title={moment(a.retain_until)}>{until(a.retain_until)}</span> },
    { name: 'Actions', kind: 'actions', show: (a) => <AgentActions of={{ tenant: a.tenant ?? '', id: a.id }} done={refresh} gone={refresh} /> },
  ]
  return (
    <>
      <Heading>Agents</Heading>
      <div class="filters" role="search">
        <Field label="Name begins with">{(id) => <input id={id} type="search" autocomplete="off" spellcheck={false} value={search} onInput={(e) => setSearch(e.currentTarget.value)} />}</Field>
        <Field label="Tenant">{(id) => <input id={id} type="search" autocomplete="off" spellcheck={false} placeholder="all" value={tenant} onInput={(e) => setTenant(e.currentTarget.value)} />}</Field>
      </div>
      <Trouble error={error} />
      {value && <Table caption="Agents" columns={columns} rows={value.agents} keyOf={(a) => `${a.tenant}/${a.id}`} sortedBy="Last used" descending
        empty={prefix || of ? <p>No agent matches. Clear the fields to see all.</p> : <p>There are no agents yet. A client that sends <code>X-Agent-ID</code> with a request becomes one.</p>} />}
      {value?.more && <p><button type="button" onClick={() => setWanted(wanted + pageSize)}>Show more</button> <span class="hint">The {count(value.agents.length)} shown are sorted, not those behind.</span></p>}
    </>
  )
}

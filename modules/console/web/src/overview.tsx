// The node at a glance: is it well, what fills the pool and the tiers, what is it doing.
import { useEffect, useState } from 'preact/hooks'
import { get, post, type Schemas } from './api'
import { bytes, count, duration, percent, plural } from './format'
import { linkTo, usePoll } from './hooks'
import { Action, Bar, Heading, Table, tell, Trouble, type Column } from './parts'

type Request = Schemas['RequestUnderWay']

export function Overview() {
  const health = usePoll((signal) => readHealth(signal), [])
  const pool = usePoll((signal) => get('/admin/pool', { signal }), [])
  const requests = usePoll((signal) => get('/admin/requests', { signal }), [])
  return (
    <>
      <Heading>Overview</Heading>
      <Trouble error={health.error ?? pool.error ?? requests.error} />
      <div class="cards">
        {health.value && <Health {...health.value} />}
        {pool.value && <Pool state={pool.value} refresh={pool.refresh} />}
      </div>
      {pool.value && <Tiers state={pool.value} />}
      <section>
        <h2>Requests in flight {requests.value && <span class="pill">{count(requests.value.total)}</span>}</h2>
        {requests.value && <Table caption="Requests in flight" columns={requestColumns} rows={requests.value.requests} keyOf={(r) => r.request_id}
          empty={<p>Nothing is being computed. Requests to <code>/v1</code> appear here while they wait and run.</p>} />}
      </section>
    </>
  )
}

async function readHealth(signal: AbortSignal) {
  const [live, ready, startup] = await Promise.all([
    get('/health/live', { signal }), get('/health/ready', { signal }), get('/health/startup', { signal }),
  ])
  return { live, ready, startup }
}

function Health({ ready, startup }: { ready: Schemas['Readiness']; startup: Schemas['StartProgress'] }) {
  const well = ready.status === 'ready'
  return (
    <section class="card" aria-label="Health">
      <h2>Health</h2>
      <p class="figure"><span class={well ? 'state well' : 'state bad'}>{well ? 'Ready' : 'Not ready'}</span></p>
      {ready.reason && <p class="trouble">{ready.reason}</p>}
      {startup.status === 'started'
        ? <p class="hint">The model is loaded and requests are taken.</p>
        : <><p class="hint">{startup.phase}</p><progress aria-label={startup.phase} value={startup.progress} /></>}
    </section>
  )
}

function Pool({ state, refresh }: { state: Schemas['PoolState']; refresh: () => void }) {
  const budget = Math.max(1, state.budget_bytes)
  const working = state.busy_bytes - state.pending_bytes
  const idle = Math.max(0, state.resident_bytes - state.busy_bytes)
  const lever = (path: '/admin/pool/flush' | '/admin/pool/trim', done: string) => async () => {
    const moved = await post(path, undefined)
    tell(`${done} ${plural(moved.blocks, 'block')}, ${bytes(moved.bytes)}`)
    refresh()
  }
  return (
    <section class="card grow" aria-label="Pool">
      <div class="row">
        <h2>Pool</h2>
        <div class="buttons">
          <Action label="Flush" name="the pool to the lower tiers" act={lever('/admin/pool/flush', 'Stored')} />
          <Action label="Trim" name="what a lower tier has" act={lever('/admin/pool/trim', 'Freed')} />
        </div>
      </div>
      <div class="row end">
        <p class="figure">{percent(state.utilization)} <small>in use of {bytes(state.budget_bytes)}</small></p>
        <History value={state.utilization} />
      </div>
      <Bar label="Pool" segments={[
        { kind: 'busy', share: working / budget, label: `${bytes(working)} held by requests` },
        { kind: 'pending', share: state.pending_bytes / budget, label: `${bytes(state.pending_bytes)} waiting to be stored` },
        { kind: 'pool', share: idle / budget, label: `${bytes(idle)} kept to be found again` },
      ]} />
      <ul class="legend">
        <li><i class="busy" />held by requests {bytes(working)}</li>
        <li><i class="pending" />waiting to be stored {bytes(state.pending_bytes)}</li>
        <li><i class="pool" />kept, given up when needed {bytes(idle)}</li>
        <li><i class="free" />free {bytes(Math.max(0, budget - state.resident_bytes))}</li>
      </ul>
    </section>
  )
}

const points = 60

// History is a line of the utilisation since the page was opened, two minutes at most.
function History({ value }: { value: number }) {
  const [past, setPast] = useState<number[]>([])
  useEffect(() => {
    const note = () => setPast((before) => [...before, value].slice(-points))
    note()
    const timer = window.setInterval(note, 2000)
    return () => window.clearInterval(timer)
  }, [value])
  const line = past.map((v, i) => `${(points - past.length + i) * (120 / (points - 1))},${31 - Math.min(1, v) * 30}`).join(' ')
  return <svg class="history" viewBox="0 0 120 32" role="img" aria-label="Utilisation in the last two minutes"><line x1="0" x2="120" y1="31" y2="31" /><polyline points={line} /></svg>
}

function Tiers({ state }: { state: Schemas['PoolState'] }) {
  return (
    <section>
      <h2>Tiers</h2>
      {state.tiers.length === 0 && <p class="empty">This server keeps nothing below the pool. Set <code>SEMANTIC_AGENT_CACHE_DIR</code> so that agents survive a restart.</p>}
      <div class="cards">
        <div class="card tier">
          <h3><i class="pool" />pool</h3>
          <p class="figure small">{bytes(state.resident_bytes)}</p>
          <p class="hint">{plural(state.blocks, 'block')} · budget {bytes(state.budget_bytes)}</p>
          <Bar label="Pool" segments={[{ kind: 'pool', share: state.resident_bytes / Math.max(1, state.budget_bytes), label: `${bytes(state.resident_bytes)} of ${bytes(state.budget_bytes)}` }]} />
        </div>
        {state.tiers.map((tier) => (
          <div class="card tier" key={tier.tier}>
            <div class="row"><h3><i class={tierClass(tier.tier)} />{tier.tier}</h3><span class={tier.state === 'healthy' ? 'state well' : 'state bad'}>{tier.state}</span></div>
            <p class="figure small">{bytes(tier.bytes)}</p>
            <p class="hint">{plural(tier.blocks, 'block')}{tier.budget_bytes > 0 && ` · budget ${bytes(tier.budget_bytes)}`}{tier.indexing && ' · still being counted'}</p>
            {tier.budget_bytes > 0 && <Bar label={tier.tier} segments={[{ kind: tierClass(tier.tier), share: tier.bytes / tier.budget_bytes, label: `${bytes(tier.bytes)} of ${bytes(tier.budget_bytes)}` }]} />}
            {tier.problem && <p class="trouble">{tier.problem}</p>}
          </div>
        ))}
      </div>
    </section>
  )
}

const known = ['pool', 'disk', 'object']

// tierClass is the class that gives a tier its colour.
export const tierClass = (tier: string) => (known.includes(tier) ? tier : 'other')

const requestColumns: Column<Request>[] = [
  { name: 'Agent', isHeader: true, show: (r) => (r.agent ? <a href={linkTo('agents', r.tenant, r.agent)}>{r.agent}</a> : <span class="hint">none</span>), order: (r) => r.agent ?? '' },
  { name: 'Tenant', kind: 'wide', show: (r) => r.tenant, order: (r) => r.tenant },
  { name: 'State', show: (r) => <span class="pill">{r.state}</span>, order: (r) => r.state },
  { name: 'Prompt', kind: 'number', show: (r) => count(r.prompt_tokens), order: (r) => r.prompt_tokens },
  { name: 'Cached', kind: 'number wide', show: (r) => count(r.cached_tokens), order: (r) => r.cached_tokens },
  { name: 'Progress', show: (r) => <progress aria-label={`Progress of ${r.request_id}`} value={r.computed_tokens} max={Math.max(1, r.prompt_tokens + r.max_tokens)} title={`${count(Math.min(r.computed_tokens, r.prompt_tokens))} of ${count(r.prompt_tokens)} read, ${count(r.generated_tokens)} of at most ${count(r.max_tokens)} written`} /> },
  { name: 'Written', kind: 'number', show: (r) => count(r.generated_tokens), order: (r) => r.generated_tokens },
  { name: 'Age', kind: 'number', show: (r) => duration(r.age_seconds), order: (r) => r.age_seconds },
]

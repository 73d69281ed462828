// What each agent, tenant or model had this node do since it started, and what that spared.
import { useState } from 'preact/hooks'
import { get, save, type Schemas } from './api'
import { ago, bytes, count, duration, moment, percent } from './format'
import { usePoll } from './hooks'
import { Action, Field, Heading, Table, Trouble, type Column } from './parts'

type By = 'agent' | 'tenant' | 'model'
type Row = Schemas['LedgerRow']
type Figures = Schemas['Figures']

const pageSize = 200
const read = (f: Figures) => f.tokens_read_pool + f.tokens_read_disk + f.tokens_read_object
const kept = (f: Figures) => f.byte_hours_pool + f.byte_hours_disk + f.byte_hours_object
const spared = (f: Figures) => f.restore_ms_saved / 1000
const seconds = (s: number) => (s < 0 ? `−${duration(-s)}` : duration(s))

// readLedger reads as many pages as hold so many rows.
async function readLedger(by: By, wanted: number, signal: AbortSignal) {
  const rows: Row[] = []
  let page: Schemas['LedgerPage']
  let cursor: string | undefined
  do {
    page = await get('/admin/ledger', { query: { by, limit: pageSize, cursor }, signal })
    rows.push(...page.rows)
    cursor = page.next_cursor
  } while (cursor && rows.length < wanted)
  return { by, rows, total: page.total, since: page.since, more: Boolean(cursor) }
}

// who names a row: of all agents that have none of their own any more, or of what nobody in particular asked for, in words.
function who(row: Row, by: By) {
  const name = row[by]
  if (name) return <span class="id">{name}</span>
  return <span class="hint">{row.kind === 'others' ? 'others, seen longer ago' : 'nobody in particular'}</span>
}

export function Ledger() {
  const [by, setBy] = useState<By>('agent')
  const [wanted, setWanted] = useState(pageSize)
  const { value, error } = usePoll((signal) => readLedger(by, wanted, signal), [by, wanted], 5)
  const columns: Column<Row>[] = [
    { name: by[0]!.toUpperCase() + by.slice(1), isHeader: true, order: (r) => r[by], show: (r) => who(r, by) },
    ...(by === 'agent' ? [{ name: 'Tenant', kind: 'wide', order: (r: Row) => r.tenant, show: (r: Row) => r.tenant || '–' }] : []),
    { name: 'Requests', kind: 'number', order: (r) => r.requests, show: (r) => count(r.requests) },
    { name: 'Computed', kind: 'number wide', order: (r) => r.tokens_computed, show: (r) => count(r.tokens_computed) },
    { name: 'Read', kind: 'number', order: read, show: (r) => <span title={parts(r)}>{count(read(r))}</span> },
    { name: 'Generated', kind: 'number wide', order: (r) => r.tokens_generated, show: (r) => count(r.tokens_generated) },
    { name: 'Saved', kind: 'number', order: spared, show: (r) => seconds(spared(r)) },
    { name: 'Kept', kind: 'number wide', order: kept, show: (r) => `${bytes(kept(r))}·h` },
    { name: 'To disk', kind: 'number wide', order: (r) => r.disk_bytes_written, show: (r) => bytes(r.disk_bytes_written) },
    { name: 'Bucket', kind: 'number wide', order: (r) => r.object_bytes_read + r.object_bytes_written, show: (r) => bytes(r.object_bytes_read + r.object_bytes_written) },
  ]
  return (
    <>
      <Heading>Ledger</Heading>
      <div class="filters">
        <Field label="A row for each">
          {(id) => (
            <select id={id} value={by} onChange={(e) => { setBy(e.currentTarget.value as By); setWanted(pageSize) }}>
              <option value="agent">agent</option><option value="tenant">tenant</option><option value="model">model</option>
            </select>
          )}
        </Field>
      </div>
      <Trouble error={error} />
      {value && <Total of={value.total} since={value.since} />}
      {value?.by === by && <Table key={by} caption="Ledger" columns={columns} rows={value.rows} keyOf={(r) => [r.kind, r.tenant, r.agent, r.model].join('\n')} sortedBy="Read" descending
        empty={<p>Nothing has been asked of this node since it started.</p>} />}
      {value?.more && <p><button type="button" onClick={() => setWanted(wanted + pageSize)}>Show more</button> <span class="hint">The {count(value.rows.length)} shown are sorted, not those behind.</span></p>}
      <p><Action label="Save as CSV" act={() => save('/admin/ledger', { by, format: 'csv' }, `ledger-by-${by}.csv`)} /></p>
    </>
  )
}

const parts = (f: Figures) => `${count(f.tokens_read_pool)} from the pool, ${count(f.tokens_read_disk)} from disk, ${count(f.tokens_read_object)} from the bucket`

function Total({ of, since }: { of: Figures; since: string }) {
  const prompts = read(of) + of.tokens_computed
  return (
    <section class="card" aria-label="All of this node">
      <h2>{prompts > 0 ? percent(read(of) / prompts) : '0 %'} of all prompt tokens were read</h2>
      <dl>
        <dt>Since</dt><dd><time dateTime={since} title={moment(since)}>{ago(since)}</time></dd>
        <dt>Read</dt><dd>{parts(of)}</dd>
        <dt>Computed</dt><dd>{count(of.tokens_computed)}, and {count(of.tokens_generated)} generated</dd>
        <dt>Saved</dt><dd>about {seconds(spared(of))} of computing</dd>
      </dl>
    </section>
  )
}

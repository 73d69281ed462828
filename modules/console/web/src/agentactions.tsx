// What an operator can do to an agent, in the list and on its own page.
import { useState } from 'preact/hooks'
import { get, post, remove, type Schemas } from './api'
import { bytes, plural } from './format'
import { Action, Dialog, Field, Form, tell } from './parts'

export interface Named { tenant: string; id: string }

function tellMoved(what: string, moved: Schemas['Moved']) {
  const others = moved.other_nodes ? `; ${plural(moved.other_nodes, 'other node')} told to do the same` : ''
  const full = moved.no_room ? `; no room for ${plural(moved.no_room, 'block')}` : ''
  tell(`${what}: ${plural(moved.blocks, 'block')}, ${bytes(moved.bytes)}${full}${others}`)
}

interface Props { of: Named; done: () => void; gone: () => void }

export function AgentActions({ of, done, gone }: Props) {
  const [open, setOpen] = useState<'' | 'evict' | 'retain' | 'delete'>('')
  const close = () => setOpen('')
  const prefetch = async () => {
    tellMoved(`${of.id} brought into the pool`, await post('/admin/agents/{tenant}/{id}/prefetch', undefined, { path: { ...of } }))
    done()
  }
  return (
    <div class="buttons">
      <Action label="Prefetch" name={of.id} act={prefetch} />
      <Action label="Evict" name={of.id} act={() => setOpen('evict')} />
      <Action label="Retain" name={of.id} act={() => setOpen('retain')} />
      <Action label="Delete" name={of.id} kind="danger" act={() => setOpen('delete')} />
      {open === 'evict' && <Evict of={of} close={close} done={done} />}
      {open === 'retain' && <Retain of={of} close={close} done={done} />}
      {open === 'delete' && <Delete of={of} close={close} done={gone} />}
    </div>
  )
}

interface DialogProps { of: Named; close: () => void; done: () => void }

function Evict({ of, close, done }: DialogProps) {
  const [to, setTo] = useState<'' | 'disk' | 'object'>('')
  const evict = async () => {
    tellMoved(`${of.id} taken out of the pool`, await post('/admin/agents/{tenant}/{id}/evict', to ? { to } : {}, { path: { ...of } }))
    close()
    done()
  }
  return (
    <Dialog title="Evict from the pool" close={close}>
      <p>The memory of <b class="id">{of.id}</b> leaves the pool once a lower tier has it. Nothing is lost: its next request reads it back.</p>
      <Form submit="Evict" cancel={close} act={evict}>
        <Field label="Until it lies in">
          {(id) => (
            <select id={id} value={to} onChange={(e) => setTo(e.currentTarget.value as typeof to)}>
              <option value="">any lower tier</option><option value="disk">disk</option><option value="object">object storage</option>
            </select>
          )}
        </Field>
      </Form>
    </Dialog>
  )
}

const spans = [['an hour', 3600], ['a day', 86400], ['a week', 604800], ['no time: end the retention', 0]] as const

function Retain({ of, close, done }: DialogProps) {
  const [seconds, setSeconds] = useState(3600)
  const retain = async () => {
    await post('/admin/agents/{tenant}/{id}/retain', { ttl_seconds: seconds }, { path: { ...of } })
    tell(seconds > 0 ? `${of.id} is retained` : `${of.id} is no longer retained`)
    close()
    done()
  }
  return (
    <Dialog title="Retain in the pool" close={close}>
      <p>While <b class="id">{of.id}</b> is retained, its memory is given up after that of others.</p>
      <Form submit="Retain" cancel={close} act={retain}>
        <Field label="For">
          {(id) => <select id={id} value={seconds} onChange={(e) => setSeconds(Number(e.currentTarget.value))}>{spans.map(([name, s]) => <option key={s} value={s}>{name}</option>)}</select>}
        </Field>
      </Form>
    </Dialog>
  )
}

function Delete({ of, close, done }: DialogProps) {
  const erase = async () => {
    const operation = await remove('/admin/agents/{tenant}/{id}', { path: { ...of } })
    tell(`${of.id} is deleted`)
    close()
    done()
    void follow(operation.operation_id, of.id)
  }
  return (
    <Dialog title="Delete for good" close={close}>
      <p>Everything that <b class="id">{of.id}</b> of tenant <b class="id">{of.tenant}</b> remembers is removed from every tier. This can't be undone.</p>
      <Form submit="Delete" kind="danger" cancel={close} act={erase}>{null}</Form>
    </Dialog>
  )
}

// follow tells once a deletion has reached every tier.
async function follow(operation: string, id: string) {
  for (let tries = 0; tries < 30; tries++) {
    const state = await get('/admin/agents/operations/{operation}', { path: { operation } }).catch(() => undefined)
    if (!state) return
    if (state.status === 'done') return tell(`${id}: ${plural(state.blocks, 'block')}, ${bytes(state.bytes)} removed from the lower tiers`)
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

// Which model answers, and another one in its place.
import { useState } from 'preact/hooks'
import { get, post, type Schemas } from './api'
import { bytes, count } from './format'
import { usePoll } from './hooks'
import { Action, Dialog, Field, Form, Heading, Table, tell, Trouble, type Column } from './parts'

type Available = Schemas['AvailableModel']

export function Models() {
  const { value, error, refresh } = usePoll((signal) => get('/admin/models', { signal }), [], 5)
  const [id, setID] = useState('')
  const [loading, setLoading] = useState('')
  const columns: Column<Available>[] = [
    { name: 'Model', isHeader: true, order: (m) => m.id, show: (m) => <><span class="id">{m.id}</span>{m.problem && <p class="hint">{m.problem}</p>}</> },
    { name: 'Architecture', kind: 'wide', order: (m) => m.architecture ?? '', show: (m) => m.architecture ?? '–' },
    { name: 'Quantisation', kind: 'wide', show: (m) => m.quantisation ?? '–' },
    { name: 'Context', kind: 'number wide', order: (m) => m.context_length ?? 0, show: (m) => (m.context_length ? count(m.context_length) : '–') },
    { name: 'Size', kind: 'number', order: (m) => m.bytes, show: (m) => bytes(m.bytes) },
    { name: 'Actions', kind: 'actions', show: (m) => !m.problem && <div class="buttons"><Action label="Load" name={m.id} act={() => setLoading(m.id)} /></div> },
  ]
  return (
    <>
      <Heading>Models</Heading>
      <Trouble error={error} />
      {value && (value.loaded ? <Loaded of={value.loaded} /> : <p class="trouble">{value.state === 'unloaded' ? 'No model is loaded: an operator unloaded it.' : 'A model is being loaded.'}</p>)}
      <section class="card">
        <h2>Load another</h2>
        <Form submit="Load…" act={async () => setLoading(id.trim())}>
          <Field label="Model" hint="A Hugging Face repository, a folder, or a .gguf file on the server's machine.">
            {(field, hint) => <input id={field} aria-describedby={hint} required spellcheck={false} autocomplete="off" value={id} onInput={(e) => setID(e.currentTarget.value)} />}
          </Field>
        </Form>
      </section>
      <section>
        <h2>In the cache</h2>
        {value && <Table caption="Models in the cache" columns={columns} rows={value.available} keyOf={(m) => m.id}
          empty={<p>No model lies in the hub's cache. <code>agent-memory models pull</code> fetches one; files and folders are loaded by their paths above.</p>} />}
      </section>
      {loading && <Load id={loading} close={() => setLoading('')} done={() => { setLoading(''); refresh() }} />}
    </>
  )
}

function Loaded({ of }: { of: Schemas['LoadedModel'] }) {
  return (
    <section class="card" aria-label="Loaded model">
      <h2>{of.name}</h2>
      <dl>
        <dt>Named as</dt><dd class="id">{of.id}</dd>
        <dt>Context</dt><dd>{count(of.context_length)} tokens</dd>
        <dt>Vocabulary</dt><dd>{count(of.vocabulary)} tokens</dd>
        <dt>Memory</dt><dd>{bytes(of.kv_bytes_per_token)} for a token</dd>
        <dt>Fingerprint</dt><dd class="id">{of.fingerprint}</dd>
      </dl>
    </section>
  )
}

function Load({ id, close, done }: { id: string; close: () => void; done: () => void }) {
  const [hold, setHold] = useState(true)
  const load = async () => {
    const loaded = await post('/admin/models/load', { id, hold, within_seconds: 300 })
    tell(`${loaded.name} is loaded`)
    done()
  }
  return (
    <Dialog title="Load the model" close={close}>
      <p><b class="id">{id}</b> takes the place of the loaded one, once running requests are finished. A model that can't be loaded leaves the old one.</p>
      <Form submit="Load" cancel={close} act={load}>
        <fieldset><legend>Requests that come meanwhile</legend>
          <label><input type="radio" name="hold" checked={hold} onChange={() => setHold(true)} />wait</label>
          <label><input type="radio" name="hold" checked={!hold} onChange={() => setHold(false)} />are answered with 503</label>
        </fieldset>
      </Form>
    </Dialog>
  )
}

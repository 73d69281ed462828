// The page: who may see it, its views, its colours.
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Failure, get, key, onRefused } from './api'
import { Agent } from './agent'
import { Agents } from './agents'
import { Explain } from './explain'
import { linkTo, useRoute } from './hooks'
import { Keys } from './keys'
import { Ledger } from './ledger'
import { Models } from './models'
import { Overview } from './overview'
import { Toasts } from './parts'
import { SignIn } from './signin'
import { ThemeButton } from './theme'

const views = [
  { at: '', name: 'Overview' }, { at: 'agents', name: 'Agents' }, { at: 'explain', name: 'Explain' },
  { at: 'ledger', name: 'Ledger' }, { at: 'keys', name: 'Keys' }, { at: 'models', name: 'Models' },
]

function View({ route }: { route: string[] }) {
  const [view, tenant, id] = route
  switch (view) {
    case 'agents':
      return tenant !== undefined && id !== undefined ? <Agent key={`${tenant}/${id}`} tenant={tenant} id={id} /> : <Agents />
    case 'explain': return <Explain />
    case 'ledger': return <Ledger />
    case 'keys': return <Keys />
    case 'models': return <Models />
  }
  return <Overview />
}

type Access = 'asking' | 'open' | 'signed in' | 'refused'

function App() {
  const route = useRoute()
  const [access, setAccess] = useState<Access>('asking')
  const [reason, setReason] = useState('')
  const enter = async () => {
    try {
      await get('/admin/pool')
      setAccess(key.get() ? 'signed in' : 'open')
    } catch (error) {
      if (key.get() || !(error instanceof Failure) || error.status !== 401) setReason((error as Error).message)
      setAccess('refused')
    }
  }
  useEffect(() => {
    onRefused((failure) => {
      if (key.get()) setReason(failure.message)
      key.forget()
      setAccess('refused')
    })
    void enter()
  }, [])
  const leave = () => { key.forget(); setReason(''); setAccess('refused') }
  const known = access === 'open' || access === 'signed in'
  const here = views.find((view) => view.at === (route[0] ?? '')) ?? views[0]
  useEffect(() => { document.title = `${known ? here?.name : 'Sign in'} · agent-memory` }, [known, here?.name])
  return (
    <>
      {known && <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.querySelector<HTMLElement>('h1')?.focus() }}>Skip to the content</a>}
      <header>
        <a class="brand" href={linkTo('')}><img src="ui/icon.svg" alt="" width="24" height="24" />agent-memory</a>
        {known && (
          <nav aria-label="Views">
            {views.map((view) => <a key={view.at} href={linkTo(view.at)} aria-current={view === here ? 'page' : undefined}>{view.name}</a>)}
          </nav>
        )}
        <div class="tools">
          {access === 'open' && <span class="hint">no key needed on this machine</span>}
          {access === 'signed in' && <button type="button" class="quiet" onClick={leave}>Sign out</button>}
          <ThemeButton />
        </div>
      </header>
      <main id="main">
        {access === 'asking' && <p class="hint">Asking the server…</p>}
        {access === 'refused' && <SignIn reason={reason} enter={() => { setReason(''); setAccess('signed in') }} />}
        {known && <View route={route} />}
      </main>
      <Toasts />
    </>
  )
}

const root = document.getElementById('app')
if (root) render(<App />, root)

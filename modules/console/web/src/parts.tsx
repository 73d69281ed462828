// What every view is made of: buttons that wait, dialogs, messages, tables that sort.
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'

interface Toast { id: number; text: string; bad: boolean }
let tellAll: (text: string, bad: boolean) => void = () => {}

// tell shows a message for a while, and reads it out.
export const tell = (text: string) => tellAll(text, false)
export const complain = (error: unknown) => tellAll(error instanceof Error ? error.message : String(error), true)

export function Toasts() {
  const [toasts, setToasts] = useState<Toast[]>([])
  const next = useRef(1)
  const drop = (id: number) => setToasts((all) => all.filter((toast) => toast.id !== id))
  tellAll = (text, bad) => {
    const id = next.current++
    setToasts((all) => [...all.slice(-3), { id, text, bad }])
    window.setTimeout(() => drop(id), bad ? 15000 : 6000)
  }
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Messages">
      {toasts.map((toast) => (
        <div key={toast.id} class={toast.bad ? 'toast bad' : 'toast'}>
          <span>{toast.text}</span>
          <button type="button" class="quiet" aria-label="Dismiss this message" onClick={() => drop(toast.id)}>×</button>
        </div>
      ))}
    </div>
  )
}

interface ActionProps {
  label: string
  name?: string // what it acts on, for those who hear the page
  kind?: 'quiet' | 'danger' | 'first'
  disabled?: boolean
  act: () => Promise<unknown> | void
}

// Action is a button that can't be pressed again until what it does is done, and that tells what went wrong.
export function Action({ label, name, kind, disabled, act }: ActionProps) {
  const [busy, setBusy] = useState(false)
  const press = async () => {
    setBusy(true)
    try {
      await act()
    } catch (error) {
      complain(error)
    }
    setBusy(false)
  }
  return (
    <button type="button" class={kind ?? ''} disabled={disabled} aria-disabled={busy} aria-busy={busy} aria-label={name ? `${label} ${name}` : undefined}
      onClick={() => { if (!busy) void press() }}>
      {label}
    </button>
  )
}

interface DialogProps { title: string; close: () => void; children: ComponentChildren }

// Dialog is modal: the browser keeps the focus in it, Escape closes it, and the focus goes back to where it was.
export function Dialog({ title, close, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null)
  const titleID = useId()
  useEffect(() => {
    const before = document.activeElement
    box.current?.showModal()
    return () => { if (before instanceof HTMLElement && before.isConnected) before.focus(); else document.querySelector<HTMLElement>('h1')?.focus() }
  }, [])
  return (
    <dialog ref={box} aria-labelledby={titleID} onCancel={(event) => { event.preventDefault(); close() }}>
      <h2 id={titleID}>{title}</h2>
      {children}
    </dialog>
  )
}

interface FormProps { submit: string; kind?: 'danger' | 'first'; cancel?: () => void; act: () => Promise<void>; children: ComponentChildren }

// Form shows beside its button what went wrong, and does nothing twice.
export function Form({ submit, kind = 'first', cancel, act, children }: FormProps) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const send = async (event: Event) => {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    setProblem('')
    try {
      await act()
    } catch (error) {
      setProblem((error as Error).message)
    }
    setBusy(false)
  }
  return (
    <form onSubmit={send}>
      {children}
      <p class="problem" role="alert">{problem}</p>
      <div class="buttons">
        {cancel && <button type="button" onClick={cancel}>Cancel</button>}
        <button type="submit" class={kind} aria-disabled={busy} aria-busy={busy}>{busy ? 'Working…' : submit}</button>
      </div>
    </form>
  )
}

interface FieldProps { label: string; hint?: string; children: (id: string, hintID: string | undefined) => ComponentChildren }

export function Field({ label, hint, children }: FieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hint ? `${id}-hint` : undefined)}
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
    </div>
  )
}

export interface Column<T> {
  name: string
  show: (row: T) => ComponentChildren
  order?: (row: T) => string | number // sorts by it; without it the column can't be sorted by
  kind?: string // classes: number, wide (left out on narrow screens), actions
  isHeader?: boolean
}

interface TableProps<T> { caption: string; columns: Column<T>[]; rows: T[]; keyOf: (row: T) => string; sortedBy?: string; descending?: boolean; empty: ComponentChildren }

export function Table<T>({ caption, columns, rows, keyOf, sortedBy, descending = false, empty }: TableProps<T>) {
  const [sort, setSort] = useState({ by: sortedBy, down: descending })
  const order = columns.find((column) => column.name === sort.by)?.order
  const shown = order ? rows.toSorted((a, b) => compare(order(a), order(b)) * (sort.down ? -1 : 1)) : rows
  if (rows.length === 0) return <div class="empty">{empty}</div>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.name} scope="col" class={column.kind} aria-sort={column.order ? (sort.by === column.name ? (sort.down ? 'descending' : 'ascending') : 'none') : undefined}>
                {column.order
                  ? <button type="button" class="sort" onClick={() => setSort({ by: column.name, down: sort.by === column.name && !sort.down })}>{column.name}<span aria-hidden="true">{sort.by === column.name ? (sort.down ? ' ↓' : ' ↑') : ''}</span></button>
                  : <span class={column.kind === 'actions' ? 'unseen' : ''}>{column.name}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column) => column.isHeader
                ? <th key={column.name} scope="row" class={column.kind}>{column.show(row)}</th>
                : <td key={column.name} class={column.kind}>{column.show(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const compare = (a: string | number, b: string | number) =>
  typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true })

// Trouble tells that what is shown is not fresh.
export const Trouble = ({ error }: { error?: Error }) => (error ? <p class="trouble" role="alert">{error.message}</p> : null)

// Heading takes the focus when its view comes, so that those who hear the page know where they are.
export function Heading({ children }: { children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus({ preventScroll: true }), [])
  return <h1 ref={heading} tabIndex={-1}>{children}</h1>
}

export interface Segment { kind: string; share: number; label: string }

// Bar is a picture of parts of a whole, told in words too.
export function Bar({ label, segments }: { label: string; segments: Segment[] }) {
  const said = segments.map((s) => s.label).join(', ')
  return (
    <div class="bar" role="img" aria-label={`${label}: ${said}`}>
      {segments.filter((s) => s.share > 0).map((s) => <span key={s.kind} class={s.kind} title={s.label} style={{ width: `${Math.min(1, s.share) * 100}%` }} />)}
    </div>
  )
}

// Polling, and the address behind the #.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

export interface Polled<T> {
  value?: T
  error?: Error
  refresh: () => void
}

// usePoll reads again every few seconds while the page is seen, one request at a time. What changes in deps starts it anew.
export function usePoll<T>(read: (signal: AbortSignal) => Promise<T>, deps: unknown[], seconds = 2): Polled<T> {
  const [state, setState] = useState<{ value?: T; error?: Error }>({})
  const [turn, setTurn] = useState(0)
  const latest = useRef(read)
  latest.current = read
  useEffect(() => {
    const abort = new AbortController()
    let timer = 0
    const again = () => { timer = window.setTimeout(look, seconds * 1000) }
    const look = async () => {
      window.clearTimeout(timer)
      if (document.hidden) return
      try {
        const value = await latest.current(abort.signal)
        if (!abort.signal.aborted) setState({ value })
      } catch (error) {
        if (!abort.signal.aborted) setState((before) => ({ value: before.value, error: error as Error }))
      }
      if (!abort.signal.aborted) again()
    }
    const seen = () => { if (!document.hidden) void look() }
    document.addEventListener('visibilitychange', seen)
    void look()
    return () => { abort.abort(); window.clearTimeout(timer); document.removeEventListener('visibilitychange', seen) }
  }, [...deps, turn])
  return { ...state, refresh: useCallback(() => setTurn((n) => n + 1), []) }
}

// useDelayed is a value once it has stayed the same for a moment.
export function useDelayed<T>(value: T, milliseconds = 250): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), milliseconds)
    return () => window.clearTimeout(timer)
  }, [value, milliseconds])
  return settled
}

const partsOf = (hash: string) => hash.replace(/^#\/?/, '').split('/').map(decode)

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

// useRoute are the parts of the address behind the #.
export function useRoute(): string[] {
  const [parts, setParts] = useState(() => partsOf(location.hash))
  useEffect(() => {
    const changed = () => setParts(partsOf(location.hash))
    window.addEventListener('hashchange', changed)
    return () => window.removeEventListener('hashchange', changed)
  }, [])
  return parts
}

export const linkTo = (...parts: string[]) => `#/${parts.map(encodeURIComponent).join('/')}`

// Light, dark, or what the system says.
import { useLayoutEffect, useState } from 'preact/hooks'

const stored = 'agent-memory-theme'
const themes = ['auto', 'light', 'dark']

export function ThemeButton() {
  const [theme, setTheme] = useState(() => localStorage.getItem(stored) ?? 'auto')
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = theme
    localStorage.setItem(stored, theme)
  }, [theme])
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto'
  return (
    <button type="button" class="quiet" aria-label={`Colours: ${theme}. Change to ${next}`} onClick={() => setTheme(next)}>
      <span aria-hidden="true">{{ auto: '◐', light: '☀', dark: '☾' }[theme]}</span>
    </button>
  )
}

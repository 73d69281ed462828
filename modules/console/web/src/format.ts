// How numbers, sizes and times are written for people.
const units = ['B', 'KB', 'MB', 'GB', 'TB']

export function bytes(n: number): string {
  let unit = 0
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit++ }
  return `${n >= 100 || unit === 0 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`
}

export const count = (n: number) => n.toLocaleString('en')
export const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`
export const plural = (n: number, noun: string) => `${count(n)} ${noun}${n === 1 ? '' : 's'}`

export function duration(seconds: number): string {
  const s = Math.max(0, seconds)
  if (s < 10) return `${s.toFixed(1)} s`
  if (s < 90) return `${Math.round(s)} s`
  if (s < 5400) return `${Math.round(s / 60)} min`
  if (s < 129600) return `${Math.round(s / 3600)} h`
  return `${Math.round(s / 86400)} days`
}

export function ago(time: string | undefined): string {
  if (!time) return '–'
  const seconds = (Date.now() - Date.parse(time)) / 1000
  return seconds < 5 ? 'just now' : `${duration(seconds)} ago`
}

export function until(time: string | undefined): string {
  return time ? `${duration((Date.parse(time) - Date.now()) / 1000)} left` : '–'
}

export const moment = (time: string | undefined) => (time ? new Date(time).toLocaleString() : undefined)

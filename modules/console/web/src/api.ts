// Asks the server that this page came from. Paths, parameters, bodies and answers are typed by the API's own document.
import type { components, paths } from '../../../../openapi/client/api'

export type Schemas = components['schemas']

type Method = 'get' | 'post' | 'delete'
type PathsWith<M extends Method> = { [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never }[keyof paths]
type Answer<O> = O extends { responses: infer R } ? Json<R[keyof R & (200 | 201 | 202)]> : never
type Json<R> = R extends { content: { 'application/json': infer B } } ? B : never
type Body<O> = O extends { requestBody?: { content: { 'application/json': infer B } } } ? B : undefined
type Parameters = { path?: Record<string, string>; query?: Record<string, string | number | undefined>; headers?: Record<string, string>; signal?: AbortSignal }

const storedKey = 'agent-memory-key'

// The key stays in this tab: it is in no cookie and no address, and goes along as a header only.
export const key = {
  get: () => sessionStorage.getItem(storedKey) ?? '',
  set: (value: string) => sessionStorage.setItem(storedKey, value),
  forget: () => sessionStorage.removeItem(storedKey),
}

// Failure is an answer that is no success, with what the server says about it.
export class Failure extends Error {
  constructor(readonly status: number, message: string) {
    super(message)
  }
}

export const get = <P extends PathsWith<'get'>>(path: P, of: Parameters = {}) => ask<Answer<paths[P]['get']>>('get', path, of)
export const post = <P extends PathsWith<'post'>>(path: P, body: Body<paths[P]['post']>, of: Parameters = {}) =>
  ask<Answer<paths[P]['post']>>('post', path, of, body)
export const remove = <P extends PathsWith<'delete'>>(path: P, of: Parameters = {}) => ask<Answer<paths[P]['delete']>>('delete', path, of)

// save has the browser keep an answer as a file. A link of its own could not send the key.
export async function save(path: PathsWith<'get'>, query: Parameters['query'], name: string): Promise<void> {
  const answer = await send('get', address(path, { query }), {}, undefined)
  if (!answer.ok) throw new Failure(answer.status, explain(answer, await answer.json().catch(() => undefined)))
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await answer.blob())
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}

// whenRefused is called when the server takes the key no more.
let whenRefused: (failure: Failure) => void = () => {}
export const onRefused = (act: (failure: Failure) => void) => { whenRefused = act }

async function ask<T>(method: Method, template: string, of: Parameters, body?: unknown): Promise<T> {
  const answer = await send(method, address(template, of), of, body)
  const read = await answer.json().catch(() => undefined)
  if (answer.ok || (answer.status === 503 && template.startsWith('/health/'))) return read as T
  const failure = new Failure(answer.status, explain(answer, read as Schemas['ErrorModel'] | undefined))
  if (answer.status === 401) whenRefused(failure)
  throw failure
}

async function send(method: Method, url: string, of: Parameters, body: unknown): Promise<Response> {
  const headers = new Headers(of.headers)
  if (key.get()) headers.set('x-api-key', key.get())
  if (body !== undefined) headers.set('content-type', 'application/json')
  const request: RequestInit = { method: method.toUpperCase(), headers, credentials: 'omit', cache: 'no-store', signal: of.signal }
  if (body !== undefined) request.body = JSON.stringify(body)
  try {
    return await fetch(url, request)
  } catch (cause) {
    if (of.signal?.aborted) throw cause
    throw new Failure(0, 'The server does not answer. It may be restarting, or the network is away.')
  }
}

// address is relative, so that the page works below whatever prefix a proxy puts before it.
function address(template: string, of: Parameters): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(of.path?.[name] ?? ''))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(of.query ?? {})) if (value !== undefined && value !== '') query.set(name, String(value))
  return `..${path}${query.size ? `?${query}` : ''}`
}

function explain(answer: Response, problem: Schemas['ErrorModel'] | undefined): string {
  const places = (problem?.errors ?? []).map((e) => [e.location, e.message].filter(Boolean).join(': ')).join('; ')
  return [problem?.detail ?? `The server answered ${answer.status}.`, places].filter(Boolean).join(': ')
}

// headerValue tells whether a text can stand in a header as it is.
export const isHeaderValue = (text: string) => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text)

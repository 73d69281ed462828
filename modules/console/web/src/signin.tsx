// Asks for an admin key.
import { useState } from 'preact/hooks'
import { get, key } from './api'
import { Field, Form, Heading } from './parts'

export function SignIn({ reason, enter }: { reason: string; enter: () => void }) {
  const [secret, setSecret] = useState('')
  const sign = async () => {
    key.set(secret.trim())
    try {
      await get('/admin/pool')
    } catch (error) {
      key.forget()
      throw error
    }
    enter()
  }
  return (
    <section class="card signin">
      <Heading>Sign in</Heading>
      {reason && <p class="trouble" role="status">{reason}</p>}
      <Form submit="Sign in" act={sign}>
        <Field label="Admin key" hint="SEMANTIC_ADMIN_KEY, or a key with the scope admin. It stays in this tab until you close it or sign out.">
          {(id, hint) => <input id={id} aria-describedby={hint} type="password" autocomplete="off" spellcheck={false} required value={secret} onInput={(e) => setSecret(e.currentTarget.value)} />}
        </Field>
      </Form>
    </section>
  )
}

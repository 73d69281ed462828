// One agent: where each block of its conversations lies.
import { AgentActions } from './agentactions'
import { get, type Schemas } from './api'
import { ago, bytes, count, moment, plural, until } from './format'
import { linkTo, usePoll } from './hooks'
import { Heading, Table, Trouble, type Column } from './parts'
import { tierClass } from './overview'

type Holding = Schemas['Holding']
type Conversation = Schemas['ConversationBlocks']

export function Agent({ tenant, id }: { tenant: string; id: string }) {
  const path = { tenant, id }
  const { value, error, refresh } = usePoll(async (signal) => {
    const [agent, blocks] = await Promise.all([
      get('/admin/agents/{tenant}/{id}', { path, signal }), get('/admin/agents/{tenant}/{id}/blocks', { path, signal }),
    ])
    return { agent, blocks }
  }, [tenant, id])
  const tiers = value?.agent.tiers ?? []
  return (
    <>
      <p class="hint"><a href={linkTo('agents')}>Agents</a> / {tenant}</p>
      <Heading>{id}</Heading>
      <Trouble error={error} />
      {value && (
        <>
          <div class="row">
            <p class="hint">
              {plural(value.agent.tokens, 'token')} · last used <time dateTime={value.agent.last_used_at} title={moment(value.agent.last_used_at)}>{ago(value.agent.last_used_at)}</time>
              {value.agent.retain_until && <> · <span class="pill">retained, {until(value.agent.retain_until)}</span></>}
              {value.agent.damaged ? <> · <span class="pill">{plural(value.agent.damaged, 'damaged part')}</span></> : null}
            </p>
            <AgentActions of={path} done={refresh} gone={() => { location.hash = linkTo('agents') }} />
          </div>
          <section>
            <h2>Blocks</h2>
            <ul class="legend">
              {tiers.map((t) => <li key={t.tier}><i class={tierClass(t.tier)} />{t.tier}</li>)}
              <li><i class="free" />not there</li>
            </ul>
            {value.blocks.conversations.length === 0 && <div class="empty"><p>It has no blocks: it said nothing yet, or too little to be kept.</p></div>}
            {value.blocks.conversations.map((c, i) => <Picture key={c.head} number={i + 1} conversation={c} tiers={tiers.map((t) => t.tier)} />)}
          </section>
          <section>
            <h2>Held by tier</h2>
            <Table caption="Held by tier" columns={holdingColumns} rows={tiers} keyOf={(t) => t.tier} empty={<p>No tier holds anything of it.</p>} />
          </section>
        </>
      )}
    </>
  )
}

// Picture shows a conversation from its beginning to its end: one column for a block, one row in it for each tier.
function Picture({ number, conversation, tiers }: { number: number; conversation: Conversation; tiers: string[] }) {
  const said = tiers.map((tier) => `${conversation.blocks.filter((b) => b.tiers.includes(tier)).length} in ${tier}`).join(', ')
  const lost = conversation.blocks.filter((b) => b.tiers.length === 0).length
  return (
    <figure class="card">
      <figcaption>Conversation {number} <span class="hint">{plural(conversation.tokens, 'token')} in {plural(conversation.blocks.length, 'block')}: {said}{lost > 0 && `, ${lost} nowhere`}</span></figcaption>
      <div class="blocks" role="img" aria-label={`${plural(conversation.blocks.length, 'block')}: ${said}`}>
        {conversation.blocks.map((b) => (
          <span key={b.block} class="block" title={`tokens ${count(b.from_token)} to ${count(b.to_token)}: ${b.tiers.join(', ') || 'nowhere, computed anew when needed'}`}>
            {tiers.map((tier) => <i key={tier} class={b.tiers.includes(tier) ? tierClass(tier) : 'free'} />)}
          </span>
        ))}
      </div>
    </figure>
  )
}

const holdingColumns: Column<Holding>[] = [
  { name: 'Tier', isHeader: true, show: (t) => t.tier },
  { name: 'Blocks', kind: 'number', order: (t) => t.blocks, show: (t) => count(t.blocks) },
  { name: 'Size', kind: 'number', order: (t) => t.bytes, show: (t) => bytes(t.bytes) },
  { name: 'Readable tokens', kind: 'number', order: (t) => t.tokens, show: (t) => count(t.tokens) },
  { name: 'Durable tokens', kind: 'number wide', order: (t) => t.durable_tokens, show: (t) => count(t.durable_tokens) },
]

// The TypeScript client that openapi-typescript makes of the OpenAPI document, against a served model: what a program of a
// user's would do, without a type of its own and without `any`.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

type Schemas = components['schemas'];

const baseUrl = process.env['SDK_BASE_URL'];
const key = process.env['SDK_API_KEY'];
assert(baseUrl && key);
const api = createClient<paths>({ baseUrl, headers: { 'x-api-key': key } });
const model = 'claude-typescript';
const weather: Schemas['ToolParam'] = {
  name: 'get_weather',
  description: 'The weather at a place',
  input_schema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
};

function problemOf(error: { error?: { message: string }; detail?: string } | undefined): string {
  return error?.error?.message ?? error?.detail ?? 'no error is told';
}

async function ask(body: Schemas['MessageRequest'], agent?: string): Promise<Schemas['Message']> {
  const { data, error } = await api.POST('/v1/messages', { body, params: { header: { 'X-Agent-ID': agent } } });
  if (!data || !('usage' in data)) throw new Error(problemOf(error)); // the other form of the answer is a stream's
  return data;
}

const checks: Record<string, () => Promise<void>> = {
  async 'a tool is called and answered'() {
    const messages: Schemas['MessageParam'][] = [{ role: 'user', content: 'What is the weather in Rome?' }];
    const first = await ask({ model, max_tokens: 300, messages, tools: [weather], tool_choice: { type: 'tool', name: 'get_weather', disable_parallel_tool_use: true } });
    assert.equal(first.stop_reason, 'tool_use');
    const [call] = first.content;
    if (call?.type !== 'tool_use') throw new Error(`the answer begins with ${call?.type}`);
    assert.equal(typeof call.input['place'], 'string');
    messages.push(
      { role: 'assistant', content: [{ type: 'tool_use', id: call.id, name: call.name, input: call.input }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: [{ type: 'text', text: '22 degrees' }] }] },
    );
    const second = await ask({ model, max_tokens: 16, messages, tools: [weather] });
    assert(second.usage.cache_read_input_tokens >= first.usage.input_tokens + first.usage.cache_creation_input_tokens + first.usage.cache_read_input_tokens);
  },

  async 'a stream is read by the types of its events'() {
    const body: Schemas['MessageRequest'] = { model, max_tokens: 16, temperature: 0, stream: true, messages: [{ role: 'user', content: 'What is the capital of France?' }] };
    const { response, error } = await api.POST('/v1/messages', { body, parseAs: 'stream' });
    if (!response.ok || !response.body) throw new Error(problemOf(error));
    let text = '', reason: string | null = null, pending = '';
    for await (const bytes of response.body.pipeThrough(new TextDecoderStream())) {
      pending += bytes;
      const parts = pending.split('\n\n');
      pending = parts.pop() ?? '';
      for (const part of parts) {
        const data = part.split('\n').find((line) => line.startsWith('data: '));
        if (!data) continue;
        const event = JSON.parse(data.slice('data: '.length)) as Schemas['StreamEvent'];
        switch (event.type) {
          case 'content_block_delta':
            if (event.delta.type === 'text_delta') text += event.delta.text;
            break;
          case 'message_delta':
            reason = event.delta.stop_reason;
            break;
          case 'error':
            throw new Error(event.error.message);
        }
      }
    }
    const [whole] = (await ask({ ...body, stream: false })).content;
    assert(whole?.type === 'text');
    assert.equal(text, whole.text);
    assert(reason === 'end_turn' || reason === 'max_tokens');
  },

  async 'agents are listed page by page and deleted'() {
    const ids = ['ts-a', 'ts-b', 'ts-c'];
    for (const id of ids) {
      await ask({ model, max_tokens: 1, messages: [{ role: 'user', content: `I am ${id}.` }] }, id);
    }
    const listed: string[] = [];
    let cursor: string | undefined;
    do {
      const { data, error } = await api.GET('/v1/agents', { params: { query: { prefix: 'ts-', limit: 2, cursor } } });
      if (!data) throw new Error(problemOf(error));
      listed.push(...data.agents.map((agent) => agent.id));
      cursor = data.next_cursor;
    } while (cursor);
    assert.deepEqual(listed, ids);
    for (const id of ids) {
      const { data, error } = await api.DELETE('/v1/agents/{id}', { params: { path: { id } } });
      if (!data) throw new Error(problemOf(error));
      for (let status: string = data.status; status !== 'done'; ) {
        const operation = await api.GET('/v1/agents/operations/{operation}', { params: { path: { operation: data.operation_id } } });
        if (!operation.data) throw new Error(problemOf(operation.error));
        status = operation.data.status;
      }
    }
    const { response } = await api.GET('/v1/agents/{id}', { params: { path: { id: 'ts-a' } } });
    assert.equal(response.status, 404);
  },

  async 'an error tells what is wrong'() {
    const { error, response } = await api.POST('/v1/messages', { body: { model, max_tokens: 1, messages: [] } });
    assert.equal(response.status, 400);
    assert.match(problemOf(error), /messages/);
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (failure) {
    console.log(`FAIL ${name}: ${failure instanceof Error ? failure.message : String(failure)}`.replaceAll('\n', ' '));
  }
}
console.log('done');

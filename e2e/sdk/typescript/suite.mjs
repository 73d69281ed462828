// The official TypeScript SDK against a served model.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { SDK_BASE_URL: baseURL, SDK_API_KEY: apiKey, SDK_API_VERSION: wanted, SDK_NODE_ROOT: root } = process.env;
const sdk = createRequire(`${root}/`)('@anthropic-ai/sdk'); // installed outside the clone
const Anthropic = sdk.default;

const model = 'claude-3-5-sonnet-20241022';
const capital = [{ role: 'user', content: 'What is the capital of France?' }];
const weather = {
  name: 'get_weather',
  description: 'The weather at a place',
  input_schema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
};

let version; // the API version of the last request
const watched = (url, init) => {
  version = new Headers(init.headers).get('anthropic-version');
  return fetch(url, init);
};
const client = new Anthropic({ baseURL, apiKey, authToken: null, maxRetries: 0, timeout: 60_000, fetch: watched });

const textOf = (message) => message.content.filter((b) => b.type === 'text').map((b) => b.text).join('');
const promptTokens = (u) => u.input_tokens + (u.cache_creation_input_tokens ?? 0) + (u.cache_read_input_tokens ?? 0);
const create = (more = {}) => client.messages.create({ model, max_tokens: 48, messages: capital, ...more });
const stream = (more = {}) => client.messages.stream({ model, max_tokens: 48, messages: capital, ...more });

// The call must fail with exactly this of the SDK's errors, with the server's request id and Anthropic's envelope.
async function refused(kind, status, call, words = '') {
  const error = await Promise.resolve().then(call).then(() => assert.fail(`no ${kind.name}`), (e) => e);
  assert.equal(error.constructor.name, kind.name, String(error));
  assert.equal(error.status, status);
  assert.ok(error.requestID, 'the error has no request id');
  assert.equal(error.error.type, 'error');
  assert.equal(error.error.request_id, error.requestID);
  assert.ok(error.error.error.message.includes(words), error.message);
}

const checks = {
  async 'API version'() {
    await create({ max_tokens: 1 });
    assert.equal(version, wanted);
  },
  async answer() {
    const message = await create();
    assert.match(textOf(message), /Paris/);
    assert.deepEqual([message.type, message.role, message.model], ['message', 'assistant', model]);
    assert.deepEqual([message.stop_reason, message.stop_sequence], ['end_turn', null]);
    assert.ok(message.id.startsWith('msg_') && message.usage.output_tokens > 0);
    assert.ok(message._request_id, 'the message has no request id');
  },
  async 'stream helper'() {
    const whole = await create();
    const kinds = [];
    const pieces = [];
    const running = stream().on('streamEvent', (e) => kinds.push(e.type)).on('text', (t) => pieces.push(t));
    const final = await running.finalMessage();
    assert.ok(running.request_id, 'the stream has no request id');
    assert.equal(pieces.join(''), textOf(whole));
    assert.equal(textOf(final), textOf(whole));
    assert.ok(pieces.length > 3, `the text came in ${pieces.length} pieces`);
    assert.deepEqual([final.stop_reason, final.stop_sequence], [whole.stop_reason, null]);
    assert.equal(promptTokens(final.usage), promptTokens(whole.usage));
    assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
    assert.deepEqual(kinds.filter((k) => k !== 'ping' && k !== 'content_block_delta'),
      ['message_start', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop']);
  },
  async 'raw stream'() {
    const events = [];
    for await (const event of await create({ max_tokens: 8, stream: true })) events.push(event);
    assert.equal(events.at(0).type, 'message_start');
    assert.ok(promptTokens(events.at(0).message.usage) > 0);
    assert.equal(events.at(-1).type, 'message_stop');
    assert.equal(events.at(-2).usage.output_tokens, 8);
  },
  async 'three streams at once'() {
    for (const text of await Promise.all([1, 2, 3].map(() => stream().finalText()))) assert.match(text, /Paris/);
  },
  async count_tokens() {
    for (const more of [{}, { system: 'Be brief.' }, { tools: [weather] }]) {
      const count = await client.messages.countTokens({ model, messages: capital, ...more });
      assert.equal(count.input_tokens, promptTokens((await create({ max_tokens: 1, ...more })).usage));
    }
  },
  async 'system prompt'() {
    const messages = [{ role: 'user', content: 'What is the secret word?' }];
    assert.doesNotMatch(textOf(await create({ messages })), /banana/);
    assert.match(textOf(await create({ messages, system: 'The secret word is banana.' })), /banana/);
  },
  async cache_control() {
    const system = [{ type: 'text', text: 'You know geography.', cache_control: { type: 'ephemeral' } }];
    const { usage } = await create({ system, max_tokens: 1 });
    assert.ok(usage.cache_creation_input_tokens + usage.cache_read_input_tokens > 0);
    const count = await client.messages.countTokens({ model, messages: capital, system });
    assert.equal(promptTokens(usage), count.input_tokens);
  },
  async stop_sequences() {
    const whole = textOf(await create());
    const message = await create({ stop_sequences: ['Berlin', 'Paris'] });
    assert.deepEqual([message.stop_reason, message.stop_sequence], ['stop_sequence', 'Paris']);
    assert.equal(textOf(message), whole.slice(0, whole.indexOf('Paris')));
    const final = await stream({ stop_sequences: ['Paris'] }).finalMessage();
    assert.deepEqual([final.stop_reason, final.stop_sequence, textOf(final)], ['stop_sequence', 'Paris', textOf(message)]);
  },
  async max_tokens() {
    const message = await create({ max_tokens: 3 });
    assert.deepEqual([message.stop_reason, message.usage.output_tokens], ['max_tokens', 3]);
    assert.ok(textOf(message) && textOf(await create()).startsWith(textOf(message)));
  },
  async 'max_tokens 0'() {
    const message = await create({ max_tokens: 0 });
    assert.deepEqual([message.content, message.stop_reason, message.usage.output_tokens], [[], 'max_tokens', 0]);
  },
  async 'several turns'() {
    const message = await create({
      messages: [
        { role: 'user', content: 'My name is Ada.' },
        { role: 'assistant', content: [{ type: 'text', text: 'Nice to meet you, Ada!' }] },
        { role: 'user', content: [{ type: 'text', text: 'What is my name?' }] },
      ],
    });
    assert.match(textOf(message), /Ada/);
  },
  async prefill() {
    const messages = [...capital, { role: 'assistant', content: 'The capital of France is the city of' }];
    assert.match(textOf(await create({ messages, max_tokens: 4 })), /^\s*Paris/);
  },
  async tools() {
    assert.equal((await create({ tools: [weather], max_tokens: 4 })).stop_reason, 'max_tokens');
    assert.equal((await create({ tools: [weather], tool_choice: { type: 'auto' }, max_tokens: 4 })).stop_reason, 'max_tokens');
    assert.equal(textOf(await create({ tools: [weather], tool_choice: { type: 'none' } })), textOf(await create()));
  },
  async 'forced tool_choice'() {
    for (const tool_choice of [{ type: 'any' }, { type: 'tool', name: 'get_weather' }]) {
      const message = await create({ tools: [weather], tool_choice, max_tokens: 400 });
      assert.equal(message.stop_reason, 'tool_use');
      for (const block of message.content) {
        assert.equal(block.name, 'get_weather');
        assert.equal(typeof block.input.place, 'string');
      }
    }
    await refused(Anthropic.BadRequestError, 400, () => create({ tools: [weather], tool_choice: { type: 'tool', name: 'other' } }), 'tool_choice');
  },
  async 'wrong key'() {
    const stranger = client.withOptions({ apiKey: 'not-the-key' });
    const params = { model, messages: capital };
    await refused(Anthropic.AuthenticationError, 401, () => stranger.messages.create({ ...params, max_tokens: 1 }));
    await refused(Anthropic.AuthenticationError, 401, () => stranger.messages.countTokens(params));
    await refused(Anthropic.AuthenticationError, 401, () => stranger.messages.stream({ ...params, max_tokens: 1 }).done());
  },
  async 'bearer token'() {
    const friend = new Anthropic({ baseURL, apiKey: null, authToken: apiKey, maxRetries: 0 });
    assert.equal((await friend.messages.create({ model, max_tokens: 1, messages: capital })).usage.output_tokens, 1);
  },
  async 'unknown model'() {
    await refused(Anthropic.NotFoundError, 404, () => create({ model: 'gpt-4o' }), 'gpt-4o');
  },
  async 'bad requests'() {
    const bad = (more, words) => refused(Anthropic.BadRequestError, 400, () => create(more), words);
    await bad({ max_tokens: -1 }, 'max_tokens');
    await bad({ messages: [] }, 'messages');
    await bad({ messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role');
    await bad({ temperature: 7 }, 'temperature');
    await bad({ messages: [{ role: 'user', content: 'word '.repeat(9000) }] });
    await refused(Anthropic.BadRequestError, 400, () => stream({ max_tokens: -1 }).finalMessage(), 'max_tokens');
  },
  async 'client gone'() {
    for (let i = 0; i < 6; i++) {
      const running = stream({ max_tokens: 2000, messages: [{ role: 'user', content: 'Tell me a long story about a lighthouse.' }] });
      await new Promise((resolve) => running.once('text', resolve));
      running.abort();
      await assert.rejects(running.done(), Anthropic.APIUserAbortError);
    }
    const deadline = Date.now() + 5000;
    while (!(await (await fetch(`${baseURL}/metrics`)).text()).includes('\nsemantic_slots_busy_ratio 0\n')) {
      assert.ok(Date.now() < deadline, 'the server still works for clients that left');
      await sleep(50);
    }
    assert.equal((await (await fetch(`${baseURL}/health/ready`)).json()).status, 'ready');
    await checks.answer();
  },
};

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failures++;
    const line = /suite\.mjs:(\d+)/.exec(error.stack ?? '')?.[1];
    console.log(`FAIL ${name}: line ${line}: ${String(error).replace(/\s+/g, ' ').slice(0, 400)}`);
  }
}
console.log('done');
process.exit(failures > 0 ? 1 : 0);

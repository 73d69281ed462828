// OpenAI's official TypeScript SDK against a served model.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { SDK_BASE_URL: base, SDK_API_KEY: apiKey, SDK_NODE_ROOT: root } = process.env;
const OpenAI = createRequire(`${root}/`)('openai').default; // installed outside the clone
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries: 0, timeout: 60_000 });
const model = (await client.models.list()).data[0].id;
const capital = [{ role: 'user', content: 'What is the capital of France?' }];
const weather = {
  type: 'function',
  function: { name: 'get_weather', strict: true, parameters: {
    type: 'object', properties: { place: { type: 'string', maxLength: 40 } }, required: ['place'], additionalProperties: false } },
};
const create = (more = {}) => client.chat.completions.create({ model, messages: capital, max_completion_tokens: 24, temperature: 0, ...more });

const checks = {
  async 'answers, whole and streamed'() {
    const whole = await create();
    assert.match(whole.choices[0].message.content, /Paris/);
    let text = '', usage;
    for await (const piece of await create({ stream: true, stream_options: { include_usage: true } })) {
      text += piece.choices[0]?.delta.content ?? '';
      usage = piece.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
  },
  async 'tools in a loop'() {
    const messages = [{ role: 'user', content: 'Compare the weather in Rome with that in Paris.' }];
    let before = 0;
    for (const tool_choice of ['required', { type: 'function', function: { name: 'get_weather' } }]) {
      const answer = await create({ messages, tools: [weather], tool_choice, parallel_tool_calls: false, max_completion_tokens: 300 });
      const [call] = answer.choices[0].message.tool_calls;
      assert.equal(answer.choices[0].finish_reason, 'tool_calls');
      assert.equal(typeof JSON.parse(call.function.arguments).place, 'string');
      assert.ok(answer.usage.prompt_tokens_details.cached_tokens >= before);
      before = answer.usage.prompt_tokens;
      messages.push(answer.choices[0].message, { role: 'tool', tool_call_id: call.id, content: '22 degrees' });
    }
    assert.ok((await create({ messages, tools: [weather] })).choices[0].finish_reason);
  },
  async 'an object of a form'() {
    const schema = { type: 'object', properties: { sure: { type: 'boolean' }, n: { type: 'number', minimum: 0, maximum: 1 } }, required: ['sure', 'n'], additionalProperties: false };
    const answer = await create({ response_format: { type: 'json_schema', json_schema: { name: 'o', strict: true, schema } }, max_completion_tokens: 200 });
    const { sure, n } = JSON.parse(answer.choices[0].message.content);
    assert.equal(typeof sure, 'boolean');
    assert.ok(n >= 0 && n <= 1);
  },
  async responses() {
    const how = { model, input: 'What is the capital of France?', max_output_tokens: 24, temperature: 0 };
    const whole = await client.responses.create(how);
    assert.match(whole.output_text, /Paris/);
    const stream = client.responses.stream(how);
    let text = '';
    for await (const event of stream) {
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    assert.equal(text, whole.output_text);
    assert.equal((await stream.finalResponse()).output_text, whole.output_text);
  },
  async continuations() {
    const answer = await client.completions.create({ model, prompt: 'The capital of France is', max_tokens: 12, temperature: 0 });
    assert.match(answer.choices[0].text, /^ .*Paris/s);
  },
  async errors() {
    await assert.rejects(create({ model: 'gpt-4o' }), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found');
    await assert.rejects(create({ messages: [{ role: 'user', content: 'long '.repeat(20000) }] }), (e) => e instanceof OpenAI.BadRequestError && e.code === 'context_length_exceeded');
    const stranger = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'wrong', maxRetries: 0 });
    await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  },
};

let failures = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    failures++;
    console.log(`FAIL ${name}: ${String(error.stack ?? error).replace(/\s+/g, ' ').slice(0, 400)}`);
  }
}
console.log('done');
process.exit(failures > 0 ? 1 : 0);

// The npm package `@anthropic-ai/sdk` against Seekway with a real model.
import Anthropic from "@anthropic-ai/sdk";

import { chatModel, question, run, schema, url, weatherQuestion, weatherSchema } from "./harness.mjs";

const options = { apiKey: "none", maxRetries: 0, timeout: 100_000 };
const client = new Anthropic({ baseURL: url, ...options });
const ask = (content) => [{ role: "user", content }];
const base = { model: chatModel, messages: ask(question), max_tokens: 24, temperature: 0 };
const tool = { name: "get_weather", input_schema: weatherSchema };

function answer(message) {
  return {
    type: message.type,
    id: message.id,
    request_id: message._request_id,
    text: message.content.map((block) => block.text ?? "").join(""),
    blocks: message.content,
    stop_reason: message.stop_reason,
    stop_sequence: message.stop_sequence,
    usage: message.usage,
  };
}

async function streamed(more) {
  const kinds = [];
  const stream = client.messages.stream({ ...base, ...more });
  stream.on("streamEvent", (event) => kinds.push(event.type));
  return { kinds, final: answer(await stream.finalMessage()) };
}

await run({
  async message() {
    return answer(await client.messages.create(base));
  },
  async stream() {
    const pieces = [];
    const stream = client.messages.stream(base);
    stream.on("text", (text) => pieces.push(text));
    const final = answer(await stream.finalMessage());
    return { pieces, final };
  },
  async raw_stream() {
    const kinds = [];
    for await (const event of await client.messages.create({ ...base, stream: true })) kinds.push(event.type);
    return { kinds };
  },
  async deepseeks_base() {
    const other = new Anthropic({ baseURL: `${url}/anthropic`, ...options });
    return answer(await other.messages.create(base));
  },
  async structured() {
    const output_config = { format: { type: "json_schema", schema } };
    const messages = ask("Is water wet? Answer in JSON.");
    return answer(await client.messages.create({ ...base, messages, max_tokens: 64, output_config }));
  },
  async tools() {
    const messages = ask(weatherQuestion);
    const wanted = { messages, tools: [tool], tool_choice: { type: "tool", name: tool.name }, max_tokens: 64 };
    const called = await client.messages.create({ ...base, ...wanted });
    const call = called.content.find((block) => block.type === "tool_use");
    const result = { type: "tool_result", tool_use_id: call.id, content: "18 C, clear" };
    const after = [...messages, { role: "assistant", content: called.content }, { role: "user", content: [result] }];
    return {
      called: answer(called),
      streamed: await streamed(wanted),
      after: answer(await client.messages.create({ ...base, messages: after, tools: [tool] })),
    };
  },
  async thinking() {
    const thought = { type: "thinking", thinking: "They greet me.", signature: "unsigned" };
    const turn = { role: "assistant", content: [thought, { type: "text", text: "Hello." }] };
    const messages = [...ask("Hi"), turn, ...ask(question)];
    return { disabled: answer(await client.messages.create({ ...base, messages, thinking: { type: "disabled" } })) };
  },
  async count() {
    const asked = { model: chatModel, messages: ask(question), system: "Be brief.", tools: [tool] };
    const counted = await client.messages.countTokens(asked);
    const { usage } = await client.messages.create({ ...asked, max_tokens: 1 });
    return { counted, used: usage };
  },
  async unknown_model() {
    return answer(await client.messages.create({ ...base, model: "no-such-model" }));
  },
  async bad_parameter() {
    return answer(await client.messages.create({ ...base, temperature: 9 }));
  },
});

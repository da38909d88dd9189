// The npm package `@anthropic-ai/sdk` against a gateway whose models answer by a script; see `tests/contract/scripted.py`.
import Anthropic from "@anthropic-ai/sdk";

import { question, run, url } from "./harness.mjs";

const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0, timeout: 20_000 });
const messages = [{ role: "user", content: question }];
const tools = [{ name: "f", input_schema: { type: "object" } }];
const asked = (model, more = {}) => ({ model, messages, max_tokens: 24, ...more });
const create = (model, more) => client.messages.create(asked(model, more));
const streamed = (model, more) => client.messages.stream(asked(model, more)).finalMessage();

await run({
  async thinker() {
    const whole = await create("thinker", { tools });
    const calls = whole.content.filter((block) => block.type === "tool_use");
    const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "ok" }));
    const back = [...messages, { role: "assistant", content: whole.content }, { role: "user", content: results }];
    const echo = await create("echo", { messages: back, tools });
    return { whole, streamed: await streamed("thinker", { tools }), echo: echo.content[0].text };
  },
  async hidden_thoughts() {
    return streamed("thinker", { thinking: { type: "adaptive", display: "omitted" } });
  },
  async refused() {
    return { whole: await create("refuser"), streamed: await streamed("refuser") };
  },
  async broken() {
    const kinds = [];
    try {
      for await (const event of await create("breaker", { stream: true })) kinds.push(event.type);
    } catch (error) {
      return { kinds, raised: error.constructor.name, body: error.error };
    }
    return { kinds };
  },
  async overloaded() {
    try {
      return await create("overloaded");
    } catch (error) {
      return { raised: error.constructor.name, status: error.status, body: error.error };
    }
  },
  async estimated() {
    return client.messages.countTokens({ model: "estimated", messages });
  },
});

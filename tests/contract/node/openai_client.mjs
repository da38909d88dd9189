// The npm package `openai` against Seekway.
import OpenAI from "openai";

import { chatModel, embedModel, question, run, schema, url, weatherQuestion, weatherSchema } from "./harness.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 100_000 });
const ask = (content) => [{ role: "user", content }];
const base = { model: chatModel, messages: ask(question), max_tokens: 24, temperature: 0 };
const tool = { type: "function", function: { name: "get_weather", parameters: weatherSchema } };

function answer(response) {
  const [choice] = response.choices;
  return {
    object: response.object,
    text: choice.message.content,
    finish: choice.finish_reason,
    usage: response.usage,
  };
}

await run({
  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids };
  },
  async chat() {
    return answer(await client.chat.completions.create(base));
  },
  async stream() {
    const pieces = [];
    const finishes = [];
    const usages = [];
    const stream = await client.chat.completions.create({
      ...base,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      if (chunk.usage) usages.push(chunk.usage);
      for (const choice of chunk.choices) {
        if (choice.delta.content) pieces.push(choice.delta.content);
        if (choice.finish_reason) finishes.push(choice.finish_reason);
      }
    }
    return { pieces, finishes, usages };
  },
  async thinking() {
    return answer(await client.chat.completions.create({ ...base, thinking: { type: "disabled" } }));
  },
  async json_mode() {
    const json_schema = { name: "verdict", schema, strict: true };
    return answer(
      await client.chat.completions.create({
        ...base,
        max_tokens: 64,
        messages: ask("Is water wet? Answer in JSON."),
        response_format: { type: "json_schema", json_schema },
      }),
    );
  },
  async tools() {
    const response = await client.chat.completions.create({
      ...base,
      max_tokens: 64,
      messages: ask(weatherQuestion),
      tools: [tool],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    return { calls: response.choices[0].message.tool_calls };
  },
  async embeddings() {
    const ask = (encoding) => client.embeddings.create({ model: embedModel, input: ["a cat"], ...encoding });
    const [floats, standard] = [await ask({ encoding_format: "float" }), await ask({})];
    return { floats: floats.data[0].embedding, standard: Array.from(standard.data[0].embedding) };
  },
  async unknown_model() {
    return answer(await client.chat.completions.create({ ...base, model: "no-such-model" }));
  },
  async bad_parameter() {
    return answer(await client.chat.completions.create({ ...base, temperature: 9 }));
  },
});

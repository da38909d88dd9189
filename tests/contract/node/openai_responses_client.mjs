// The npm package `openai`'s Responses against Seekway.
import OpenAI from "openai";

import { chatModel, question, run, schema, url, weatherQuestion, weatherSchema } from "./harness.mjs";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 100_000 });
const base = { model: chatModel, input: question, max_output_tokens: 24, temperature: 0 };
const weather = { role: "user", content: weatherQuestion };
const tool = { type: "function", name: "get_weather", strict: true, parameters: weatherSchema };
const named = { type: "function", name: "get_weather" };
const verdict = {
  ...base,
  input: "Is water wet? Answer in JSON with the members answer and sure.",
  max_output_tokens: 64,
  text: { format: { type: "json_schema", name: "verdict", strict: true, schema } },
};

function answer(response) {
  return {
    id: response.id,
    object: response.object,
    status: response.status,
    store: response.store,
    text: response.output.flatMap((item) => item.content ?? []).filter((part) => part.type === "output_text").map((part) => part.text).join(""),
    kinds: response.output.map((item) => item.type),
    incomplete: response.incomplete_details?.reason ?? null,
    usage: response.usage,
  };
}

async function streamed(more) {
  const seen = { kinds: [], deltas: [], reasoning: [], arguments: [], numbers: [] };
  try {
    for await (const event of await client.responses.create({ ...base, ...more, stream: true })) {
      seen.kinds.push(event.type);
      seen.numbers.push(event.sequence_number);
      if (event.type === "response.output_text.delta") seen.deltas.push(event.delta);
      if (event.type === "response.reasoning_text.delta") seen.reasoning.push(event.delta);
      if (event.type === "response.function_call_arguments.delta") seen.arguments.push(event.delta);
      if (event.type === "response.completed" || event.type === "response.incomplete") seen.last = answer(event.response);
    }
  } catch (error) {
    seen.error = { message: error.message, code: error.code, type: error.constructor.name };
  }
  return seen;
}

const callOf = (response) => response.output.find((item) => item.type === "function_call");
const outputOf = (call) => ({ type: "function_call_output", call_id: call.call_id, output: "18 C, clear" });

await run({
  async text() {
    return answer(await client.responses.create(base));
  },
  async stream() {
    return streamed({});
  },
  async stream_helper() {
    const stream = client.responses.stream(base);
    const kinds = [];
    for await (const event of stream) kinds.push(event.type);
    return { kinds, ...answer(await stream.finalResponse()) };
  },
  async parse() {
    return { parsed: (await client.responses.parse(verdict)).output_parsed };
  },
  async tools() {
    const wanted = { ...base, tools: [tool], max_output_tokens: 64 };
    const response = await client.responses.create({ ...wanted, input: [weather], tool_choice: named });
    const call = callOf(response);
    const after = await client.responses.create({ ...wanted, input: [weather, ...response.output, outputOf(call)] });
    return { name: call.name, arguments: call.arguments, call_id: call.call_id, after: answer(after) };
  },
  async tools_streamed() {
    return streamed({ input: [weather], tools: [tool], tool_choice: named, max_output_tokens: 64 });
  },
  async tools_helper() {
    const stream = client.responses.stream({ ...base, input: [weather], tools: [tool], tool_choice: named, max_output_tokens: 64 });
    const call = callOf(await stream.finalResponse());
    return { name: call.name, arguments: call.arguments };
  },
  async reasoning() {
    const response = await client.responses.create({ ...base, include: ["reasoning.encrypted_content"] });
    const found = response.output.filter((item) => item.type === "reasoning");
    return {
      texts: found.map((item) => item.content.map((part) => part.text).join("")),
      encrypted: found.map((item) => Boolean(item.encrypted_content)),
      ...answer(response),
    };
  },
  async reasoning_forgotten() {
    const wanted = { ...base, tools: [tool] };
    const response = await client.responses.create({ ...wanted, input: [weather] });
    const items = response.output.filter((item) => item.type !== "reasoning");
    return answer(await client.responses.create({ ...wanted, input: [weather, ...items, outputOf(callOf(response))] }));
  },
  async length() {
    return answer(await client.responses.create({ ...base, max_output_tokens: 3 }));
  },
  async cut_stream() {
    return streamed({ input: "break off" });
  },
  async cut_answer() {
    return answer(await client.responses.create({ ...base, input: "break off" }));
  },
  async unknown_model() {
    return answer(await client.responses.create({ ...base, model: "no-such-model" }));
  },
  async bad_parameter() {
    return answer(await client.responses.create({ ...base, temperature: 9 }));
  },
  async previous_response() {
    return answer(await client.responses.create({ ...base, previous_response_id: "resp_1" }));
  },
  async background() {
    return answer(await client.responses.create({ ...base, background: true }));
  },
  async built_in_tool() {
    return answer(await client.responses.create({ ...base, tools: [{ type: "web_search" }] }));
  },
});

// `@ai-sdk/deepseek`, driven by `ai`, against Seekway.
import { createDeepSeek } from "@ai-sdk/deepseek";
import { generateText, jsonSchema, streamText, tool } from "ai";

import { chatModel, question, run, url, weatherQuestion, weatherSchema } from "./harness.mjs";

const deepseek = createDeepSeek({ baseURL: `${url}/v1`, apiKey: "none" });
const base = { model: deepseek(chatModel), prompt: question, maxOutputTokens: 24, temperature: 0, maxRetries: 0 };
const tools = { get_weather: tool({ description: "The weather.", inputSchema: jsonSchema(weatherSchema) }) };

const answer = (result) => ({ text: result.text, finish: result.finishReason, usage: result.usage });

await run({
  async chat() {
    return answer(await generateText(base));
  },
  async stream() {
    const pieces = [];
    const errors = [];
    const result = streamText({ ...base, onError: ({ error }) => errors.push(String(error)) });
    for await (const piece of result.textStream) pieces.push(piece);
    return { pieces, errors, finishes: [await result.finishReason], usages: [await result.usage] };
  },
  async thinking() {
    return answer(await generateText({ ...base, providerOptions: { deepseek: { thinking: { type: "disabled" } } } }));
  },
  async tools() {
    const toolChoice = { type: "tool", toolName: "get_weather" };
    const result = await generateText({ ...base, prompt: weatherQuestion, maxOutputTokens: 64, tools, toolChoice });
    return { calls: result.toolCalls.map((call) => ({ name: call.toolName, input: call.input })) };
  },
  async unknown_model() {
    return answer(await generateText({ ...base, model: deepseek("no-such-model") }));
  },
  async bad_parameter() {
    return answer(await generateText({ ...base, temperature: 9 }));
  },
});

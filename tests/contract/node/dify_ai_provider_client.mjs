// dify-ai-provider under the AI SDK: chats, streams, agents and files.
import { generateText, streamText } from "ai";
import { createDifyProvider } from "dify-ai-provider";
import { run, url } from "./harness.mjs";

// What was seen is all that belongs on the standard output.
console.log = console.info = console.debug = console.error;
globalThis.AI_SDK_LOG_WARNINGS = false;

const provider = createDifyProvider({ baseURL: `${url}/v1` });
const headers = { "user-id": "ann" };
const model = (name, mode) => provider(name, { responseMode: mode, apiKey: `app-${name}` });

async function streamed(name, prompt = "Hi") {
  const errors = [];
  const result = streamText({
    model: model(name, "streaming"),
    prompt,
    headers,
    maxRetries: 0,
    onError: ({ error }) => errors.push(String(error?.message ?? error)),
  });
  const pieces = [];
  for await (const piece of result.textStream) pieces.push(piece);
  if (errors.length) return { pieces, errors };
  return { pieces, finish: await result.finishReason, usage: await result.usage };
}

await run({
  async chat() {
    const result = await generateText({ model: model("helper", "blocking"), prompt: "Hi", headers, maxRetries: 0 });
    const told = result.providerMetadata?.difyWorkflowData ?? {};
    return { text: result.text, finish: result.finishReason, usage: result.usage, told };
  },
  stream: async () => streamed("helper"),
  agent: async () => streamed("agent"),
  thinker: async () => streamed("thinker"),
  breaker: async () => streamed("breaker"),
  async wrong_key() {
    const wrong = provider("helper", { responseMode: "blocking", apiKey: "dataset-x" });
    return { text: (await generateText({ model: wrong, prompt: "Hi", headers, maxRetries: 0 })).text };
  },
  async file() {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "file", data: new Uint8Array([1, 2, 3]), mediaType: "image/png", filename: "a.png" },
    ];
    const messages = [{ role: "user", content }];
    const result = await generateText({ model: model("helper", "blocking"), messages, headers, maxRetries: 0 });
    return { text: result.text };
  },
});

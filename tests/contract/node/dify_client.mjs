// dify-client of npm (Dify's own): every call it has.
import { ChatClient, CompletionClient, DifyClient } from "dify-client";
import { run, url } from "./harness.mjs";

const base = `${url}/v1`;
const chat = new ChatClient("app-helper", base);
const writer = new CompletionClient("app-writer", base);
const plain = new DifyClient("app-helper", base);
const told = (response) => ({ status: response.status, body: response.data });

async function events(response) {
  let text = "";
  for await (const piece of response.data) text += piece;
  const blocks = text.split("\n\n").filter(Boolean);
  return { events: blocks.map((block) => JSON.parse(block.slice("data: ".length))) };
}

async function refused(asking) {
  try {
    await asking;
  } catch (error) {
    return { status: error.response.status, body: error.response.data };
  }
  throw new Error("not refused");
}

await run({
  whole: async () => told(await chat.createChatMessage({}, "Hi", "ann")),
  stream: async () => events(await chat.createChatMessage({}, "Hi", "ann", true)),
  completion: async () => told(await writer.createCompletionMessage({ query: "Hi" }, "ann")),
  completion_stream: async () => events(await writer.createCompletionMessage({ query: "Hi" }, "ann", true)),
  async conversation() {
    const first = (await chat.createChatMessage({}, "Hi", "ann")).data.conversation_id;
    await chat.createChatMessage({}, "And?", "ann", false, first);
    return {
      messages: told(await chat.getConversationMessages("ann", first, null, 10)),
      conversations: told(await chat.getConversations("ann", null, 10)),
      renamed: told(await chat.renameConversation(first, "Mine", "ann", false)),
      deleted: told(await chat.deleteConversation(first, "ann")),
    };
  },
  async feedback() {
    const message = (await chat.createChatMessage({}, "Hi", "ann")).data.id;
    return told(await plain.messageFeedback(message, "like", "ann"));
  },
  parameters: async () => told(await plain.getApplicationParameters("ann")),
  async upload() {
    const form = new FormData();
    form.append("file", new Blob(["bytes"], { type: "text/plain" }), "a.txt");
    form.append("user", "ann");
    return told(await plain.fileUpload(form));
  },
  workflow: async () => refused(writer.runWorkflow({}, "ann")),
  wrong_key: async () => refused(new ChatClient("dataset-x", base).createChatMessage({}, "Hi", "ann")),
});

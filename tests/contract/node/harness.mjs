// Runs one client's checks and writes what each saw as one JSON object; judging is the tests' business.
export const [url, chatModel, embedModel] = process.argv.slice(2);

export const schema = {
  type: "object",
  properties: { answer: { type: "string", enum: ["yes", "no"] }, sure: { type: "boolean" } },
  required: ["answer", "sure"],
  additionalProperties: false,
};
export const weatherSchema = {
  type: "object",
  properties: {
    city: { type: "string", enum: ["Paris", "Beijing"] },
    unit: { type: "string", enum: ["C", "F"] },
  },
  required: ["city", "unit"],
  additionalProperties: false,
};
export const question = "Tell me in one sentence what the sea looks like.";
export const weatherQuestion = "What is the weather in Paris in degrees Celsius?";

function ancestry(error) {
  const names = [];
  for (let kind = error?.constructor; kind?.name; kind = Object.getPrototypeOf(kind)) names.push(kind.name);
  return names;
}

export async function run(checks) {
  const seen = {};
  for (const [name, check] of Object.entries(checks)) {
    try {
      seen[name] = await check();
    } catch (error) {
      const cause = error?.lastError ?? error;
      seen[name] = {
        raised: ancestry(cause),
        status: cause?.status ?? cause?.statusCode ?? null,
        message: String(cause?.message),
      };
    }
  }
  process.stdout.write(JSON.stringify(seen));
}

// A participant and a language model of our own in the place of Copilot's, which ask for a sign-in. The participant
// answers with what VS Code gives it, so that a test reads the model's context in the answer.
const vscode = require("vscode");

const MODEL = {
  id: "probe",
  name: "Probe",
  family: "probe",
  version: "1",
  maxInputTokens: 100_000,
  maxOutputTokens: 10_000,
  isDefault: true,
  isUserSelectable: true,
  capabilities: { toolCalling: true },
};

/** A turn as `{prompt}` or `{answer}`; of an answer of our own, what it says and not what it was given. */
const told = (turn) => {
  if (turn.prompt !== undefined) return { prompt: turn.prompt };
  const text = turn.response.map((part) => part.value?.value ?? "").join("");
  return { answer: text.replace(/\s*`GIVEN-\S+-END`/, "") };
};

exports.activate = ({ subscriptions }) => {
  subscriptions.push(
    vscode.lm.registerLanguageModelChatProvider("session-roam", {
      provideLanguageModelChatInformation: async () => [MODEL],
      provideLanguageModelChatResponse: async () => {},
      provideTokenCount: async () => 1,
    }),
    vscode.chat.createChatParticipant("session-roam.probe", async (request, context, stream) => {
      const given = { history: context.history.map(told), permission: request.permissionLevel };
      // In base64, so that no answer contains the text of an earlier turn.
      stream.markdown(`Answer to: ${request.prompt}\n\n\`GIVEN-${Buffer.from(JSON.stringify(given)).toString("base64")}-END\``);
    }),
  );
  // Without a request for it the model is resolved only with the first prompt, which fails (VS Code 1.139.1).
  vscode.lm.selectChatModels({ vendor: "session-roam" });
};

// Drives the storage code of @cursor/sdk, which is installed beside this file's caller and never shipped:
//   node theirs.cjs DIST make|go-on|show STORE.DB
// Prints what that code holds: {blobs: {id: hex}, meta, conversation}.
// The classes are found by what they can do, because the bundle has short names that change with each version.
const fs = require("fs");
const path = require("path");
const { createHash } = require("crypto");
const { KV, load } = require("./bundle.cjs");

const [dist, act, file] = process.argv.slice(2);
const PROTO = "../proto/dist/generated/agent/v1/agent_pb.js";
const STORE = "../cursor-sdk-local-runtime/dist/run-store/sqlite-blob-store.js";

async function classes() {
  const { inner } = load(dist);
  const chunks = fs.readdirSync(path.join(dist, "cjs")).filter((name) => /^\d+\.js$/.test(name));
  const chunk = chunks.find((name) => fs.readFileSync(path.join(dist, "cjs", name), "utf8").includes(JSON.stringify(STORE)));
  if (chunk) await inner.e(Number(chunk.split(".")[0]));
  const AgentStore = Object.values(inner(KV)).find((it) => it?.prototype?.handleCheckpoint);
  const BlobStore = Object.values(inner(STORE)).find((it) => it?.initAndLoad);
  const proto = {};
  for (const it of Object.values(inner(PROTO))) if (it?.typeName) proto[it.typeName.replace("agent.v1.", "")] = it;
  if (!AgentStore || !BlobStore || !proto.ConversationStateStructure) throw new Error("the storage classes have changed");
  return { AgentStore, BlobStore, proto };
}

const bytes = (text) => new TextEncoder().encode(text);
const hashed = (data) => new Uint8Array(createHash("sha256").update(data).digest());

async function main() {
  const { AgentStore, BlobStore, proto } = await classes();
  const blobs = await BlobStore.initAndLoad(file);
  const agent = new AgentStore(blobs, blobs);
  await agent.resetFromDb(null);

  const put = async (data) => {
    const id = hashed(data);
    await blobs.setBlob(null, id, data);
    return id;
  };
  const said = (message) => put(bytes(JSON.stringify(message)));
  const turn = async (state, n, question, answer) => {
    const before = state.clone();
    const at = 1790000000000n + BigInt(n) * 60000n;
    const text = (text) => [{ type: "text", text }];
    const call = { type: "tool-call", toolCallId: `call_${n}`, toolName: "Read", args: { path: "/work/api/notes.md" } };
    const messages = [
      { role: "user", content: text(`<user_query>\n${question}\n</user_query>`) },
      { role: "assistant", content: [...text(`Let me look (${n}).`), call] },
      { role: "tool", content: [{ type: "tool-result", toolCallId: `call_${n}`, toolName: "Read", result: `note ${n}` }] },
      { role: "assistant", content: text(answer) },
    ];
    for (const message of messages) state.rootPromptMessagesJson.push(await said(message));
    const beforeId = await put(before.toBinary());
    const user = new proto.UserMessage({
      text: question, messageId: `00000000-0000-4000-8000-00000000000${n}`, conversationStateBlobId: beforeId, startedAtMs: at,
    });
    const step = (value) => put(new proto.ConversationStep({ message: { case: "assistantMessage", value } }).toBinary());
    const inner = {
      userMessage: await put(user.toBinary()),
      steps: [await step({ text: `Let me look (${n}).` }), await step({ text: answer })],
      requestId: `request-${n}`,
    };
    const whole = new proto.ConversationTurnStructure({ turn: { case: "agentConversationTurn", value: inner } });
    state.turns.push(await put(whole.toBinary()));
    await agent.handleCheckpoint(null, state);
  };

  if (act === "make") {
    const state = new proto.ConversationStateStructure({
      previousWorkspaceUris: ["file:///work/api"], mode: 1, conversationStartedTimestampMs: 1790000000000n,
    });
    state.rootPromptMessagesJson.push(await said({ role: "system", content: "You are a made-up assistant." }));
    const info = "<user_info>\nWorkspace Path: /work/api\n</user_info>";
    state.rootPromptMessagesJson.push(await said({ role: "user", content: [{ type: "text", text: info }] }));
    agent.setMetadata("name", "Where are the notes?");
    agent.setMetadata("createdAt", 1790000000000);
    agent.setMetadata("isRunEverything", true);
    agent.setMetadata("approvalMode", "unrestricted");
    agent.setMetadata("lastUsedModel", "made-up-model");
    await turn(state, 1, "Where are the notes?", "In notes.md, line 1 — “note 1”.");
  } else if (act === "go-on") {
    await turn(agent.getConversationStateStructure().clone(), 2, "And the others?", "There are no others.");
  } else if (act !== "show") {
    throw new Error(`make, go-on or show, not ${act}`);
  }

  await new Promise((done) => setTimeout(done, 20));
  const held = {};
  for (const id of await blobs.listBlobIds()) {
    held[id] = Buffer.from(await blobs.getBlob(null, Buffer.from(id, "hex"))).toString("hex");
  }
  const names = ["agentId", "name", "mode", "createdAt", "isRunEverything", "approvalMode", "lastUsedModel", "blobEncryptionKey"];
  const meta = Object.fromEntries(names.map((name) => [name, blobs.get(name)]));
  meta.latestRootBlobId = Buffer.from(blobs.get("latestRootBlobId")).toString("hex");
  const conversation = (await agent.getFullConversation(null)).toJson();
  await blobs.dispose();
  console.log(JSON.stringify({ blobs: held, meta, conversation }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

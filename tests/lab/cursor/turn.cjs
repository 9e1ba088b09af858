// One turn of a local agent of @cursor/sdk, with a made-up server on 127.0.0.1 in the place of Cursor's:
//   node turn.cjs DIST CWD AGENT|new PROMPT
// The server does with the client's store what a turn needs: it asks for every blob of the conversation so far, puts new
// ones, and sends a new state. Prints {agentId, turns: before, asked, wrong, status}.
const http = require("http");
const { createHash } = require("crypto");
const { load } = require("./bundle.cjs");

const [dist, cwd, agentId, prompt] = process.argv.slice(2);
const SERVICE = "../proto/dist/generated/agent/v1/agent_service_connect.js";
const ENDS = 2;

const hex = (data) => Buffer.from(data).toString("hex");
const hashed = (data) => new Uint8Array(createHash("sha256").update(data).digest());
const bytes = (value) => new TextEncoder().encode(JSON.stringify(value));

function framed(flags, data) {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(data.length, 1);
  return Buffer.concat([head, data]);
}

// The made-up server's side of one turn.
class Turn {
  constructor(service, seen) {
    this.Out = service.methods.runSSE.O;
    this.In = service.methods.run.I;
    this.seen = seen;
    this.waiting = new Map();
    this.next = 1;
  }

  send(message) {
    this.stream.write(framed(0, new this.Out({ message }).toBinary()));
  }

  // A request to the client's store, and its answer.
  kv(message) {
    const id = this.next++;
    const answer = new Promise((done) => this.waiting.set(id, done));
    this.send({ case: "kvServerMessage", value: { id, message } });
    return answer;
  }

  async get(blobId) {
    const answer = await this.kv({ case: "getBlobArgs", value: { blobId } });
    const data = answer.value.blobData;
    this.seen.asked += 1;
    if (!data || hex(hashed(data)) !== hex(blobId)) this.seen.wrong.push(hex(blobId));
    return data;
  }

  async put(blobData) {
    const blobId = hashed(blobData);
    await this.kv({ case: "setBlobArgs", value: { blobId, blobData } });
    return blobId;
  }

  heard(data) {
    const message = this.In.fromBinary(data).message;
    if (message.case === "kvClientMessage") {
      this.waiting.get(message.value.id)?.(message.value.message);
    } else if (message.case === "runRequest") {
      this.run(message.value).catch((error) => this.seen.wrong.push(String(error)));
    }
  }

  async run(request) {
    const state = (request.conversationState ?? new this.State()).clone();
    this.seen.turns = state.turns.length;
    for (const id of state.rootPromptMessagesJson) await this.get(id);
    for (const id of state.turns) await this.parts(await this.get(id));
    const said = `Answer ${state.turns.length + 1}.`;
    const content = (text) => [{ type: "text", text }];
    const messages = [
      { role: "user", content: content(`<user_query>\n${prompt}\n</user_query>`) },
      { role: "assistant", content: content(said) },
    ];
    for (const message of messages) state.rootPromptMessagesJson.push(await this.put(bytes(message)));
    const step = new this.proto.ConversationStep({ message: { case: "assistantMessage", value: { text: said } } });
    const user = new this.proto.UserMessage({ text: prompt, messageId: `message-${state.turns.length + 1}` });
    const value = { userMessage: await this.put(user.toBinary()), steps: [await this.put(step.toBinary())], requestId: "lab" };
    const turn = new this.proto.ConversationTurnStructure({ turn: { case: "agentConversationTurn", value } });
    state.turns.push(await this.put(turn.toBinary()));
    const update = (message) => this.send({ case: "interactionUpdate", value: { message } });
    update({ case: "textDelta", value: { text: said } });
    this.send({ case: "conversationCheckpointUpdate", value: state });
    update({ case: "turnEnded", value: {} });
    this.stream.end(framed(ENDS, Buffer.from("{}")));
  }

  async parts(data) {
    const turn = data && this.proto.ConversationTurnStructure.fromBinary(data).turn.value;
    if (!turn) return;
    for (const id of [turn.userMessage, ...turn.steps]) await this.get(id);
  }
}

function server(turn) {
  const answers = { "/auth/exchange_user_api_key": { accessToken: "lab", refreshToken: "lab" }, "/v1/models": { items: [{ id: "lab-model", displayName: "Lab" }] } };
  return http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const reply = (status, type, data) => response.writeHead(status, { "content-type": type }).end(data);
      if (answers[request.url]) return reply(200, "application/json", JSON.stringify(answers[request.url]));
      if (request.url.endsWith("/RunSSE")) {
        response.writeHead(200, { "content-type": "application/connect+proto" });
        response.flushHeaders();
        turn.stream = response;
        return;
      }
      if (request.url.endsWith("/BidiAppend")) {
        reply(200, "application/proto", "");
        return turn.heard(turn.appended(body));
      }
      reply(404, "application/json", JSON.stringify({ code: "unimplemented", message: "not in the lab" }));
    });
  });
}

async function main() {
  const seen = { turns: null, asked: 0, wrong: [] };
  const listening = await new Promise((done) => {
    const turn = new Turn({ methods: { runSSE: {}, run: {} } }, seen);
    const made = server(turn).listen(0, "127.0.0.1", () => done({ turn, port: made.address().port }));
  });
  process.env.CURSOR_BACKEND_URL = `http://127.0.0.1:${listening.port}`;
  const { sdk, inner } = load(dist);
  const { turn } = listening;
  const service = Object.values(inner(SERVICE)).find((it) => it?.methods?.runSSE);
  turn.Out = service.methods.runSSE.O;
  turn.In = service.methods.run.I;
  turn.proto = {};
  for (const it of Object.values(inner("../proto/dist/generated/agent/v1/agent_pb.js"))) {
    if (it?.typeName) turn.proto[it.typeName.replace("agent.v1.", "")] = it;
  }
  turn.State = turn.proto.ConversationStateStructure;
  const Append = Object.values(inner("../proto/dist/generated/aiserver/v1/bidi_pb.js")).find((it) => it?.typeName?.endsWith("BidiAppendRequest"));
  turn.appended = (body) => {
    const request = Append.fromBinary(body);
    return request.dataBinary?.length ? request.dataBinary : Buffer.from(request.data, "hex");
  };
  const options = { apiKey: "key_of_the_lab", model: { id: "lab-model" }, local: { cwd } };
  const agent = agentId === "new" ? await sdk.Agent.create(options) : await sdk.Agent.resume(agentId, options);
  const run = await agent.send(prompt);
  for await (const _ of run.stream());
  const { status, result } = await run.wait();
  await agent[Symbol.asyncDispose]?.();
  console.log(JSON.stringify({ agentId: agent.agentId, ...seen, status, result }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

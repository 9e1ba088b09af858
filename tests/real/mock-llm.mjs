// A language model that thinks nothing: it answers every prompt with a sentence made from that prompt, and writes
// down what it was sent. tests/real/clients.rs points the real Claude Code and the real Codex at it, so that what a
// tool carries into a resumed session can be read off the requests, with no account and no network.
//
// It speaks as much of Anthropic's Messages API and of OpenAI's Responses and Chat Completions APIs as those tools use, and
// knows nothing about session-roam. Node 20 or newer, no dependencies.
//
//   node mock-llm.mjs --log FILE [--port N]
//
// The first line on stdout is {"port":N}. Each request becomes one JSON line {"at","method","path","body"} in FILE,
// written before the answer is sent, so that whoever saw the tool finish finds its requests there.
//
// A prompt "run-tool: COMMAND" is answered by one call of the tool's own shell, then, when the result comes back, by a
// sentence. So is "call-tool: NAME JSON", in the Messages API, by a call of that tool if it is offered.
// Every other prompt P gets "reply N to: P", where N counts the user's prompts in the request: the same history always
// gets the same answer.

import { createServer } from 'node:http';
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values: args } = parseArgs({ options: { log: { type: 'string' }, port: { type: 'string', default: '0' } } });
if (!args.log) {
  console.error('usage: node mock-llm.mjs --log FILE [--port N]');
  process.exit(2);
}

// Message ids must differ between two runs of the mock too: Claude Code groups records by them.
const run = Date.now().toString(36);
let n_ids = 0;
const new_id = (prefix) => `${prefix}_${run}${String(++n_ids).padStart(6, '0')}`;

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const path = new URL(request.url, 'http://mock').pathname;
  let body = null;
  try {
    body = text === '' ? null : JSON.parse(text);
  } catch {
    body = text;
  }
  appendFileSync(args.log, JSON.stringify({ at: new Date().toISOString(), method: request.method, path, body }) + '\n');
  try {
    answer(request.method, path, body, response);
  } catch (error) {
    console.error(error);
    send_json(response, 500, { type: 'error', error: { type: 'api_error', message: String(error) } });
  }
});
server.listen(Number(args.port), '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));

function answer(method, path, body, response) {
  if (method === 'POST' && path.endsWith('/messages/count_tokens')) {
    return send_json(response, 200, { input_tokens: Math.ceil(JSON.stringify(body).length / 4) });
  }
  if (method === 'POST' && path.endsWith('/messages')) return answer_messages(body, response);
  if (method === 'POST' && path.endsWith('/responses')) return answer_responses(body, response);
  if (method === 'POST' && path.endsWith('/chat/completions')) return answer_chat(body, response);
  if (method === 'GET' && path.endsWith('/models')) return send_json(response, 200, { object: 'list', data: [], models: [] });
  // HEAD / is Claude Code's own question whether anybody is there.
  if (method === 'HEAD') return response.writeHead(200).end();
  send_json(response, 404, { type: 'error', error: { type: 'not_found_error', message: `${method} ${path}` } });
}

// ---- what to say ----

/** Decides the answer from the conversation alone: `{ say }`, `{ run }` for a shell command, `{ call, input }` for another tool. */
function reply(prompts, n_results_since_prompt) {
  const last = prompts.at(-1) ?? 'nothing';
  const command = /^run-tool: (.+)$/m.exec(last)?.[1];
  if (command && n_results_since_prompt === 0) return { run: command };
  const [, call, input] = /^call-tool: (\S+) (\{.*\})$/m.exec(last) ?? [];
  if (call && n_results_since_prompt === 0) return { call, input: JSON.parse(input) };
  return { say: `reply ${prompts.length} to: ${last.trim()}` };
}

// The tools put notes of their own among the user's words; all of them are wrapped in a tag or announced by a heading.
const is_note = (text) => /^\s*(<[a-z_-]+[ >]|# AGENTS\.md instructions|\[Request interrupted)/.test(text);

// ---- Anthropic Messages ----

function answer_messages(body, response) {
  const prompts = [];
  let n_results = 0;
  for (const message of body.messages ?? []) {
    if (message.role !== 'user') continue;
    const blocks = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : message.content;
    for (const block of blocks) {
      if (block.type === 'tool_result') n_results += 1;
      if (block.type === 'text' && !is_note(block.text)) {
        prompts.push(block.text);
        n_results = 0;
      }
    }
  }
  const shell = (body.tools ?? []).find((tool) => tool.name === 'Bash' || tool.name === 'PowerShell');
  const wanted = reply(prompts, n_results);
  const other = (body.tools ?? []).find((tool) => tool.name === wanted.call);
  const todo = (wanted.run && shell) || other ? wanted : { say: reply(prompts, 1).say };
  const use = (name, input) => [{ type: 'tool_use', id: new_id('toolu'), name, input }];
  const content = todo.run
    ? use(shell.name, { command: todo.run, description: 'Runs what was asked' })
    : todo.call
      ? use(other.name, todo.input)
      : [{ type: 'text', text: title_or(body, todo.say) }];
  const message = {
    id: new_id('msg'),
    type: 'message',
    role: 'assistant',
    model: body.model,
    content,
    stop_reason: todo.say ? 'end_turn' : 'tool_use',
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
  };
  if (!body.stream) return send_json(response, 200, message);
  stream_message(message, response);
}

/** Claude Code asks for a session's title in a structured answer; anything that is not JSON makes it ask again. */
function title_or(body, say) {
  const wanted = body.output_config?.format?.schema?.properties;
  return wanted?.title ? JSON.stringify({ title: say.slice(0, 60) }) : say;
}

function stream_message(message, response) {
  const send = open_stream(response);
  const { content, stop_reason, ...start } = message;
  send('message_start', { message: { ...start, content: [], stop_reason: null } });
  content.forEach((block, index) => {
    const empty = block.type === 'text' ? { type: 'text', text: '' } : { ...block, input: {} };
    const delta =
      block.type === 'text'
        ? { type: 'text_delta', text: block.text }
        : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    send('content_block_start', { index, content_block: empty });
    send('content_block_delta', { index, delta });
    send('content_block_stop', { index });
  });
  send('message_delta', { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } });
  send('message_stop', {});
  response.end();
}

// ---- OpenAI Responses ----

function answer_responses(body, response) {
  const prompts = [];
  let n_results = 0;
  const items = typeof body.input === 'string' ? [{ type: 'message', role: 'user', content: body.input }] : (body.input ?? []);
  for (const item of items) {
    if (/_output$/.test(item.type ?? '')) n_results += 1;
    if (item.role !== 'user') continue;
    const parts = typeof item.content === 'string' ? [{ text: item.content }] : item.content;
    for (const part of parts) {
      if (typeof part.text !== 'string' || is_note(part.text)) continue;
      prompts.push(part.text);
      n_results = 0;
    }
  }
  const todo = reply(prompts, n_results);
  const call = todo.run ? shell_call(body.tools ?? [], todo.run) : null;
  const item = call ?? {
    type: 'message',
    id: new_id('msg'),
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: todo.say ?? `no shell to run: ${todo.run}`, annotations: [] }],
  };
  const whole = {
    id: new_id('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'completed',
    model: body.model,
    output: [item],
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 15,
    },
  };
  if (!body.stream) return send_json(response, 200, whole);
  stream_response(whole, item, response);
}

/** A call of whichever shell this version of Codex offers. */
function shell_call(tools, command) {
  const call = (name, input) => ({
    type: 'function_call',
    id: new_id('fc'),
    call_id: new_id('call'),
    name,
    arguments: JSON.stringify(input),
    status: 'completed',
  });
  const has = (name) => tools.some((tool) => tool.name === name);
  if (has('bash')) return call('bash', { command, description: 'Runs what was asked' });
  if (has('exec_command')) return call('exec_command', { cmd: command });
  if (has('shell_command')) return call('shell_command', { command });
  if (has('shell')) return call('shell', { command: ['sh', '-c', command] });
  return null;
}

function stream_response(whole, item, response) {
  const send = open_stream(response);
  let sequence_number = 0;
  const say = (type, fields) => send(type, { ...fields, sequence_number: sequence_number++ });
  say('response.created', { response: { ...whole, status: 'in_progress', output: [], usage: null } });
  const started = item.type === 'message' ? { ...item, status: 'in_progress', content: [] } : { ...item, arguments: '' };
  say('response.output_item.added', { output_index: 0, item: started });
  if (item.type === 'message') {
    const { text } = item.content[0];
    say('response.output_text.delta', { item_id: item.id, output_index: 0, content_index: 0, delta: text });
    say('response.output_text.done', { item_id: item.id, output_index: 0, content_index: 0, text });
  }
  say('response.output_item.done', { output_index: 0, item });
  say('response.completed', { response: whole });
  response.end();
}

// ---- OpenAI Chat Completions ----

function answer_chat(body, response) {
  const prompts = [];
  let n_results = 0;
  for (const message of body.messages ?? []) {
    if (message.role === 'tool') n_results += 1;
    if (message.role !== 'user') continue;
    const parts = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : (message.content ?? []);
    for (const part of parts) {
      if (typeof part.text !== 'string' || is_note(part.text)) continue;
      prompts.push(part.text);
      n_results = 0;
    }
  }
  const todo = reply(prompts, n_results);
  const call = todo.run ? chat_shell_call(body.tools ?? [], todo.run) : null;
  const said = call ? { tool_calls: [call] } : { content: todo.say ?? `no shell to run: ${todo.run}` };
  const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
  const head = { id: new_id('chatcmpl'), created: Math.floor(Date.now() / 1000), model: body.model };
  const finish_reason = call ? 'tool_calls' : 'stop';
  if (!body.stream) {
    const message = { role: 'assistant', content: null, ...said };
    return send_json(response, 200, { ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason }], usage });
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const send = (choices, more) =>
    response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
  const delta = call ? { tool_calls: [{ index: 0, ...call }] } : said;
  send([{ index: 0, delta: { role: 'assistant', ...delta }, finish_reason: null }]);
  send([{ index: 0, delta: {}, finish_reason }]);
  send([], { usage });
  response.end('data: [DONE]\n\n');
}

/** A call of whichever shell the tool offers. */
function chat_shell_call(tools, command) {
  const names = tools.map((tool) => tool.function?.name);
  const call = (name, input) => ({ id: new_id('call'), type: 'function', function: { name, arguments: JSON.stringify(input) } });
  if (names.includes('run_commands')) return call('run_commands', { commands: [command] });
  if (names.includes('bash')) return call('bash', { command, description: 'Runs what was asked' });
  return null;
}

// ---- the wire ----

function open_stream(response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'request-id': new_id('req') });
  return (type, fields) => response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`);
}

function send_json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json', 'request-id': new_id('req') });
  response.end(JSON.stringify(value));
}

// The library for Toolhatch plugins in JavaScript: a tool is an object with a description, the JSON Schema of its arguments
// and a function. One file, no dependencies; it runs in a component and in Node alike.
//
// A component is made from an entry file, which is the only one that imports what only a host has:
//
//     import * as log from 'toolhatch:plugin/log@0.1.0';
//     import * as random from 'wasi:random/random@0.2.12';
//     import { connect } from '../vendor/toolhatch-plugin.js';
//     connect({ log, random });
//     export { tools } from './plugin.js';
//
// Types for editors and for TypeScript are in toolhatch-plugin.d.ts.

/** The interfaces of the host that the entry file imported. Outside of a component there are none. */
const host = {};
const inside = globalThis.process === undefined;

/** QuickJS takes numbers for 64-bit integers, and has no event loop; SpiderMonkey takes big integers and waits for promises. */
const quickjs = 'wit' in globalThis;

/**
 * Connects this library with interfaces of the host: `connect({ log, progress, random, preopens, state, invoke, exec })`,
 * each imported with `import * as`. Tests may connect doubles.
 *
 * @param {Record<string, object>} interfaces
 */
export function connect(interfaces) {
  for (const [name, functions] of Object.entries(interfaces)) host[name] = functions;
  if (host.log && !globalThis.console) {
    const line = (level) => (...values) => log[level](values.map((value) => plain(value)).join(' '));
    globalThis.console = { log: line('info'), info: line('info'), debug: line('debug'), warn: line('warn'), error: line('error') };
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Tools

/**
 * Defines a tool.
 *
 * @template A, R
 * @param {import('./toolhatch-plugin.d.ts').Tool<A, R>} definition
 */
export function tool(definition) {
  const { description, input, output, run } = definition;
  if (typeof description !== 'string' || !description.trim()) throw new TypeError('a tool needs a description: agents choose by it');
  if (input?.type !== 'object') throw new TypeError('`input` must be a JSON Schema whose type is "object"');
  if (output !== undefined && (output === null || typeof output !== 'object')) throw new TypeError('`output` must be a JSON Schema');
  if (typeof run !== 'function') throw new TypeError('a tool needs a function `run(args, call)`');
  return definition;
}

/**
 * Makes a plugin of tools: `export const { tools } = plugin({ 'word-count': tool({ … }) })`. `tools` is what the component
 * exports as `toolhatch:plugin/tools`.
 *
 * @param {Record<string, object>} definitions
 */
export function plugin(definitions) {
  const known = new Map();
  for (const [name, definition] of Object.entries(definitions)) {
    if (!/^[A-Za-z0-9_.-]{1,128}$/.test(name)) throw new TypeError(`"${name}" is no name for a tool: use letters, digits and -`);
    known.set(name, tool(definition));
  }
  return {
    tools: {
      listTools: () => [...known].map(([name, definition]) => describe(name, definition)),
      callTool(name, args, context) {
        const definition = known.get(name);
        if (!definition) throw { tag: 'unknown-tool', val: name };
        try {
          if (quickjs && host.random) Math.random = generator(host.random.getRandomBytes(16));
          const result = definition.run(JSON.parse(args), callOf(context));
          if (typeof result?.then !== 'function') return outcome(definition, result);
          if (quickjs) throw new TypeError('this tool is asynchronous, which takes componentize-js instead of componentize-qjs');
          return result.then((value) => outcome(definition, value)).catch((error) => { throw failure(name, error); });
        } catch (error) {
          throw failure(name, error);
        }
      },
    },
  };
}

function describe(name, { title, description, input, output }) {
  return {
    name,
    title,
    description,
    inputSchema: JSON.stringify(input),
    outputSchema: output && JSON.stringify(isObject(output) ? output : boxed(output)),
  };
}

/** Structured results are objects; any other value goes under `result`. */
const isObject = (schema) => schema.type === 'object';
const boxed = (schema) => ({ type: 'object', properties: { result: schema }, required: ['result'], additionalProperties: false });

function outcome({ output }, result) {
  if (result instanceof Question) return { tag: 'needs-input', val: result.request() };
  if (!(result instanceof Reply)) {
    result = typeof result === 'string' && !output ? new Reply(undefined, [text(result)]) : new Reply(result, []);
  }
  let { structured } = result;
  if (structured !== undefined) {
    const object = output ? isObject(output) : typeof structured === 'object' && structured !== null && !Array.isArray(structured);
    structured = json(object ? structured : { result: structured });
  }
  return { tag: 'complete', val: { structured, content: result.content } };
}

function callOf(context) {
  return {
    id: context.callId,
    deadlineMs: context.deadlineMs == null ? undefined : Number(context.deadlineMs),
    askable: context.askable,
    answers: context.answers.map(({ tag, val }) => (tag === 'accepted' ? { status: tag, value: JSON.parse(val) } : { status: tag })),
    state: context.state == null ? undefined : JSON.parse(decode(context.state)),
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// Results

/** A result with content for people and agents to read: `reply({ count: 3 }, text('Three.'))`. */
export function reply(structured, ...content) {
  return new Reply(structured, content);
}

class Reply {
  constructor(structured, content) {
    this.structured = structured;
    this.content = content;
  }
}

/** A block of text. `annotations`: `{ audience: ['user'], priority: 0.5, lastModified: '2026-01-31T00:00:00Z' }`. */
export const text = (value, annotations) => ({ tag: 'text', val: { text: wellFormed(String(value)), annotations: hints(annotations) } });
/** A picture: its bytes and their media type. */
export const image = (data, mimeType, annotations) => ({ tag: 'image', val: { data, mimeType, annotations: hints(annotations) } });
/** A sound: its bytes and their media type. */
export const audio = (data, mimeType, annotations) => ({ tag: 'audio', val: { data, mimeType, annotations: hints(annotations) } });
/** A pointer to something that can be read elsewhere. */
export const resourceLink = ({ uri, name, description, mimeType, size, annotations }) => ({
  tag: 'resource-link',
  val: { uri, name, description, mimeType, size: u64(size), annotations: hints(annotations) },
});
/** A document that comes with the result: a string, or bytes. */
export const resource = ({ uri, mimeType, body, annotations }) => ({
  tag: 'resource',
  val: { uri, mimeType, body: typeof body === 'string' ? { tag: 'text', val: wellFormed(body) } : { tag: 'blob', val: body }, annotations: hints(annotations) },
});

const hints = (annotations) => annotations && { audience: [], ...annotations };

/**
 * What a tool returns to ask a person: `return ask([form('Which one?', schema)], { step: 2 })`. The tool is called again with
 * `call.answers`, in the order of the questions, and with `call.state`. `call.askable` says what can be asked.
 */
export const ask = (questions, state) => new Question([].concat(questions), state);
/** A form: the question in words, and the JSON Schema of the answer. */
export const form = (message, schema) => ({ ask: { tag: 'form', val: { message, schema: JSON.stringify(schema) } } });
/** An address for the person to open. */
export const address = (message, url) => ({ ask: { tag: 'url', val: { message, url } } });

class Question {
  constructor(questions, state) {
    this.questions = questions;
    this.state = state;
  }

  request() {
    return { requests: this.questions, state: this.state === undefined ? undefined : encode(JSON.stringify(this.state)) };
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Errors

/** Why a call failed. Any other error that a tool throws counts as `failed`, and its stack goes to the log. */
export class ToolError extends Error {
  /** @param {string} kind @param {string} message @param {{ afterMs?: number }} [advice] */
  constructor(kind, message, { afterMs } = {}) {
    super(message);
    this.name = 'ToolError';
    this.kind = kind;
    this.afterMs = afterMs;
  }
}

/** The arguments fit the schema and still make no sense. */
export const invalidArguments = (message) => new ToolError('invalid-arguments', message);
/** Something was denied that the tool cannot do without. */
export const notPermitted = (message) => new ToolError('not-permitted', message);
/** What the arguments name does not exist. */
export const notFound = (message) => new ToolError('not-found', message);
/** It failed, and would fail again. */
export const failed = (message) => new ToolError('failed', message);
/** It failed, and may work when tried again: after `afterMs` milliseconds, where known. */
export const retryable = (message, afterMs) => new ToolError('retryable', message, { afterMs });

function failure(name, error) {
  if (error instanceof ToolError) {
    const message = wellFormed(error.message);
    return { tag: error.kind, val: error.kind === 'retryable' ? { message, afterMs: u64(error.afterMs) } : message };
  }
  log.error(`${name}: ${plain(error)}`);
  return { tag: 'failed', val: wellFormed(error instanceof Error ? `${error.name}: ${error.message}` : plain(error)) };
}

/** An error of an interface of the host, as an error of the tool. `error` is its variant, `{ tag, val }`. */
function refused(what, error) {
  const { tag, val } = error?.payload ?? error ?? {};
  if (typeof tag !== 'string') return error;
  const message = `${what}: ${typeof val === 'string' ? val : (val?.message ?? tag)}`;
  if (tag === 'retryable') return retryable(message, val.afterMs == null ? undefined : Number(val.afterMs));
  if (tag === 'unavailable') return retryable(message);
  return new ToolError(['not-permitted', 'not-found', 'invalid-arguments'].includes(tag) ? tag : 'failed', message);
}

function need(name, task) {
  const functions = host[name] ?? (name === 'state' && !inside && memory);
  if (functions) {
    try {
      return task(functions);
    } catch (error) {
      throw refused(name, error);
    }
  }
  throw failed(`${name} is not available here: import it in wit/world.wit and connect it in the entry file, or connect a double in a test`);
}

// ---------------------------------------------------------------------------------------------------------------------
// What the host offers

const write = (level) => (message) => host.log?.write(level, wellFormed(String(message)));

/** Messages for whoever watches the tool; they are no part of a result. Where there is no host they go nowhere. */
export const log = {
  trace: write('trace'),
  debug: write('debug'),
  info: write('info'),
  warn: write('warn'),
  error: write('error'),
  enabled: (level) => host.log?.enabled(level) ?? false,
};

/** How far a call has come. */
export const progress = {
  report: (done, total, message) => host.progress?.report(done, total, message),
  wanted: () => host.progress?.wanted() ?? false,
};

/** A small store of the plugin's own, which outlives its calls. Values are JSON. Outside of a component it is in memory. */
export const state = {
  get: (key) => need('state', ({ get }) => value(get(key))),
  set: (key, item) => need('state', ({ set }) => set(key, encode(JSON.stringify(item)))),
  delete: (key) => need('state', (functions) => functions.delete(key)),
  keys: (prefix = '') => need('state', ({ listKeys }) => listKeys(prefix)),
  /** Sets what `change` makes of the value that is there, also where several calls do so at once. `undefined` deletes it. */
  update: (key, change) =>
    need('state', ({ get, replace }) => {
      for (;;) {
        const before = get(key);
        const after = change(value(before));
        if (replace(key, before, after === undefined ? undefined : encode(JSON.stringify(after)))) return after;
      }
    }),
};

/** Stands in for the host's store, in tests. */
const stored = new Map();
const memory = {
  get: (key) => stored.get(key),
  set: (key, bytes) => void stored.set(key, bytes),
  delete: (key) => stored.delete(key),
  listKeys: (prefix) => [...stored.keys()].filter((key) => key.startsWith(prefix)).sort(),
  replace(key, expected, bytes) {
    if (stored.get(key) !== expected) return false;
    if (bytes === undefined) stored.delete(key);
    else stored.set(key, bytes);
    return true;
  },
};

const value = (bytes) => (bytes == null ? undefined : JSON.parse(decode(bytes)));

/** Calls of other tools, such as `invoke('files.read', { path: 'a.txt' })`: gives `{ structured, content }`. */
export const invoke = (name, args = {}) =>
  need('invoke', ({ call }) => {
    const { structured, content } = call(name, JSON.stringify(args));
    return { structured: structured == null ? undefined : JSON.parse(structured), content };
  });

/**
 * Runs a command in a container: `exec({ image: 'debian:stable-slim', argv: ['date'] })`. Gives `exitCode`, `stdout` and
 * `stderr`; text, unless `bytes` is true. Of long output the end is left out: `stdoutDropped` and `stderrDropped` say how many
 * bytes.
 */
export const exec = ({ image, argv, env = {}, stdin = '', workdir, network = 'none', timeoutMs, bytes = false }) =>
  need('exec', ({ run }) => {
    const input = typeof stdin === 'string' ? encode(stdin) : stdin;
    const done = run({ image, argv, env: Object.entries(env), stdin: input, workdir, network, timeoutMs });
    const shown = (output) => (bytes ? output : decode(output));
    return {
      exitCode: done.exitCode,
      stdout: shown(done.stdout),
      stderr: shown(done.stderr),
      stdoutDropped: Number(done.stdoutDropped),
      stderrDropped: Number(done.stderrDropped),
    };
  });

/**
 * Files and folders that were granted, by their paths. The entry file connects `preopens`, which it imports from
 * `wasi:filesystem/preopens@0.2.12`; in Node these are its own files.
 */
export const files = {
  /** The bytes of a file, of `max` at most. */
  read: (path, max = 64 << 20) => (host.preopens ? inFolder(path, (folder, name) => readAll(folder, name, path, max)) : Uint8Array.from(node().readFileSync(path))),
  /** The text of a file in UTF-8. */
  readText: (path, max) => decode(files.read(path, max)),
  /** Writes a file anew: a string, or bytes. */
  write(path, content) {
    const bytes = typeof content === 'string' ? encode(content) : content;
    if (host.preopens) inFolder(path, (folder, name) => writeAll(folder, name, bytes));
    else node().writeFileSync(path, bytes);
  },
  /** The names in a folder, sorted. */
  list: (path) => (host.preopens ? inFolder(path, listAll) : node().readdirSync(path)).sort(),
};

const node = () => globalThis.process?.getBuiltinModule?.('node:fs') ?? need('preopens', () => {});
const FOLLOW = { symlinkFollow: true };

/** Does something with a path, as the folder that was opened for it, and the rest of it. */
function inFolder(path, task) {
  const whole = path.startsWith('/') ? path : `/${path}`;
  let [found, prefix] = [];
  for (const [folder, name] of host.preopens.getDirectories()) {
    const start = name.endsWith('/') ? name : `${name}/`;
    if (`${whole}/`.startsWith(start) && !(prefix?.length > start.length)) [found, prefix] = [folder, start];
  }
  if (!found) throw notPermitted(`${path}: no folder is open`);
  try {
    return task(found, whole.slice(prefix.length) || '.');
  } catch (error) {
    const code = error?.payload ?? error;
    if (typeof code !== 'string') throw error;
    if (code === 'no-entry') throw notFound(`${path}: there is no such file`);
    throw new ToolError(['access', 'not-permitted', 'read-only'].includes(code) ? 'not-permitted' : 'failed', `${path}: ${code}`);
  }
}

function readAll(folder, name, path, max) {
  const file = folder.openAt(FOLLOW, name, {}, { read: true });
  const pieces = [];
  let size = 0;
  for (let end = false; !end; ) {
    let piece;
    [piece, end] = file.read(u64(1 << 20), u64(size));
    pieces.push(piece);
    size += piece.length;
    if (size > max) throw failed(`${path}: it has more than ${max} bytes`);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function writeAll(folder, name, bytes) {
  const file = folder.openAt(FOLLOW, name, { create: true, truncate: true }, { write: true });
  for (let at = 0; at < bytes.length; ) at += Number(file.write(bytes.subarray(at, at + (1 << 20)), u64(at)));
}

function listAll(folder, name) {
  const entries = folder.openAt(FOLLOW, name, { directory: true }, { read: true }).readDirectory();
  const names = [];
  for (let entry; (entry = entries.readDirectoryEntry()); ) names.push(entry.name);
  return names;
}

/**
 * Numbers from 0 to 1 out of 16 random bytes (xoshiro128**). Without it QuickJS goes on, in every call alike, from the numbers
 * that were drawn when the component was built.
 */
function generator(seed) {
  let [a, b, c, d] = new Uint32Array(Uint8Array.from(seed).buffer);
  const next = () => {
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotated(d, 11);
    return result;
  };
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

const rotated = (number, by) => (number << by) | (number >>> (32 - by));

// ---------------------------------------------------------------------------------------------------------------------
// Texts and numbers as the interfaces take them

const u64 = (number) => (number == null ? undefined : quickjs ? Number(number) : BigInt(number));

/** A string without halves of surrogate pairs, which no host takes. */
const wellFormed = (string) => string?.toWellFormed?.() ?? string?.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');

/** A value as JSON; in it too, half a surrogate pair is replaced. */
function json(item) {
  const written = JSON.stringify(item);
  return /\\ud[89a-f]/i.test(written) ? JSON.stringify(item, (_, part) => (typeof part === 'string' ? wellFormed(part) : part)) : written;
}

const plain = (item) => (item instanceof Error ? `${item.name}: ${item.message}\n${item.stack ?? ''}`.trim() : typeof item === 'string' ? item : (JSON.stringify(item) ?? String(item)));

/** The UTF-8 bytes of a string. QuickJS has no TextEncoder. */
export function encode(string) {
  const text = wellFormed(string);
  // A unit of UTF-16 takes three bytes at most.
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    let point = text.charCodeAt(index);
    if (point >= 0xd800 && point < 0xdc00) point = text.codePointAt(index++);
    if (point < 0x80) {
      bytes[at++] = point;
    } else {
      const more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
      bytes[at++] = (0xff00 >> (more + 1)) | (point >> (6 * more));
      for (let rest = more - 1; rest >= 0; rest--) bytes[at++] = 0x80 | ((point >> (6 * rest)) & 0x3f);
    }
  }
  return bytes.slice(0, at);
}

/** The string that bytes are in UTF-8; what is not UTF-8 is replaced. */
export function decode(bytes) {
  let string = '';
  for (let at = 0; at < bytes.length; ) {
    // Most of most texts is ASCII: it goes at once.
    let end = at;
    while (end < bytes.length && end - at < 4096 && bytes[end] < 0x80) end++;
    if (end > at) {
      string += String.fromCharCode.apply(null, bytes.subarray(at, end));
      at = end;
      continue;
    }
    const first = bytes[at++];
    let more = first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    let point = more < 0 ? 0xfffd : first & (more === 0 ? 0x7f : 0x3f >> more);
    // The second byte of the longer forms is what rules out overlong ones, surrogates and what is past the end of Unicode.
    let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; more--) {
      if (!(bytes[at] >= low && bytes[at] <= high)) {
        point = 0xfffd;
        break;
      }
      point = (point << 6) | (bytes[at++] & 0x3f);
      low = 0x80;
      high = 0xbf;
    }
    string += String.fromCodePoint(point);
  }
  return string;
}

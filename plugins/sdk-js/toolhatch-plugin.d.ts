/** JSON Schema (2020-12). */
export interface Schema {
  type?: string | string[];
  description?: string;
  examples?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  [keyword: string]: unknown;
}

/** What a tool knows about the call it is in. */
export interface Call {
  /** The id that also stands in logs and audit records. */
  id: string;
  /** How much time is left, in milliseconds. */
  deadlineMs?: number;
  /** What can be asked with `ask`. */
  askable: { form: boolean; url: boolean; sampling: boolean; roots: boolean };
  /** The answers to an earlier `ask`, in the order of its questions. */
  answers: ({ status: 'accepted'; value: any } | { status: 'declined' | 'cancelled' })[];
  /** The state that the earlier `ask` gave. */
  state?: any;
}

/** One tool: `A` is the type of its arguments, `R` that of its result. */
export interface Tool<A = any, R = any> {
  /** What people are shown in place of the name. */
  title?: string;
  /** One or two sentences for the agent that chooses among tools. */
  description: string;
  /** The schema of the arguments, an object. The host checks them before `run` is called. */
  input: Schema;
  /** The schema of the result. Where it is not an object, the result is put under `result`. */
  output?: Schema;
  /**
   * Runs the tool. It may be asynchronous where the component is built with componentize-js. Without an `output`, a string is
   * returned as text.
   */
  run(args: A, call: Call): R | Reply<R> | Question | Promise<R | Reply<R> | Question>;
}

export function tool<A = any, R = any>(definition: Tool<A, R>): Tool<A, R>;

/** What a component exports as `toolhatch:plugin/tools`. */
export interface Tools {
  listTools(): { name: string; title?: string; description: string; inputSchema: string; outputSchema?: string }[];
  callTool(name: string, args: string, context: object): any;
}

/** Makes a plugin of tools, by their names. */
export function plugin(definitions: Record<string, Tool>): { tools: Tools };

/** Connects the library with interfaces of the host, or a test with doubles of them. */
export function connect(interfaces: Partial<Record<'log' | 'progress' | 'random' | 'preopens' | 'state' | 'invoke' | 'exec', object>>): void;

export interface Annotations {
  audience?: ('user' | 'assistant')[];
  priority?: number;
  lastModified?: string;
}

/** One block of content. */
export interface Content {
  tag: 'text' | 'image' | 'audio' | 'resource-link' | 'resource';
  val: any;
}

export interface Reply<R> {
  structured?: R;
  content: Content[];
}

/** A result with content for people and agents to read. */
export function reply<R>(structured: R, ...content: Content[]): Reply<R>;
export function text(value: string, annotations?: Annotations): Content;
export function image(data: Uint8Array, mimeType: string, annotations?: Annotations): Content;
export function audio(data: Uint8Array, mimeType: string, annotations?: Annotations): Content;
export function resourceLink(link: { uri: string; name: string; description?: string; mimeType?: string; size?: number; annotations?: Annotations }): Content;
export function resource(document: { uri: string; mimeType?: string; body: string | Uint8Array; annotations?: Annotations }): Content;

export interface Question {
  questions: object[];
  state?: unknown;
}

/** What a tool returns to ask a person. */
export function ask(questions: object | object[], state?: unknown): Question;
export function form(message: string, schema: Schema): object;
export function address(message: string, url: string): object;

/** Why a call failed. */
export class ToolError extends Error {
  kind: 'invalid-arguments' | 'not-permitted' | 'not-found' | 'failed' | 'retryable';
  afterMs?: number;
  constructor(kind: ToolError['kind'], message: string, advice?: { afterMs?: number });
}
export function invalidArguments(message: string): ToolError;
export function notPermitted(message: string): ToolError;
export function notFound(message: string): ToolError;
export function failed(message: string): ToolError;
export function retryable(message: string, afterMs?: number): ToolError;

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
/** Messages for whoever watches the tool. */
export const log: Record<Level, (message: string) => void> & { enabled(level: Level): boolean };
/** How far a call has come. */
export const progress: { report(done: number, total?: number, message?: string): void; wanted(): boolean };
/** A small store of the plugin's own, which outlives its calls. Values are JSON. */
export const state: {
  get(key: string): any;
  set(key: string, value: unknown): void;
  delete(key: string): boolean;
  keys(prefix?: string): string[];
  update<T>(key: string, change: (value: T | undefined) => T | undefined): T | undefined;
};
/** Files and folders that were granted. */
export const files: {
  read(path: string, max?: number): Uint8Array;
  readText(path: string, max?: number): string;
  write(path: string, content: string | Uint8Array): void;
  list(path: string): string[];
};
/** Calls another tool. */
export function invoke(tool: string, args?: object): { structured?: any; content: Content[] };
/** Runs a command in a container. */
export function exec(command: {
  image: string;
  argv: string[];
  env?: Record<string, string>;
  stdin?: string | Uint8Array;
  workdir?: string;
  network?: 'none' | 'bridge' | 'allow-list';
  timeoutMs?: number;
  bytes?: boolean;
}): { exitCode: number; stdout: any; stderr: any; stdoutDropped: number; stderrDropped: number };

/** The UTF-8 bytes of a string. */
export function encode(string: string): Uint8Array;
/** The string that bytes are in UTF-8. */
export function decode(bytes: Uint8Array): string;

// Loads one trace into Perfetto's trace processor, then answers SQL queries.
//
//   node runner.mjs WASM_FOLDER TRACE
//
// Once the trace is loaded it prints {"ready":true}, or {"error":"..."} and
// exits 1. From then on each line {"sql":"..."} on stdin is answered by one line
// on stdout: {"columns":[...],"rows":[[...],...]} or {"error":"..."}. It exits
// 0 at the end of stdin. See cell() for how SQL values are written.

import { openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';

// The trace processor options that the Perfetto UI uses unless told otherwise.
const uiDefaults = {
  cropTrackEvents: false,
  ingestFtraceInRawTable: true,
  analyzeTraceProtoContent: false,
  ftraceDropUntilAllCpusValid: true,
};

// stdout carries answers only, so what the engine says goes elsewhere. Its
// warnings are dropped: each load and each query makes some that mean nothing,
// and when the WebAssembly module aborts, the error repeats the last of them.
console.log = console.error;
console.warn = () => {};

function reply(json) {
  process.stdout.write(json + '\n');
}

function replyError(err) {
  // The engine rejects with strings as well as with Errors.
  reply(JSON.stringify({ error: err?.message || String(err) || 'unknown error' }));
}

// startBridge runs the part of the Perfetto UI that holds the WebAssembly
// module. It was written for a web worker and keeps its bridge to itself, so
// the source is adapted on its way in.
async function startBridge(folder) {
  globalThis.self = globalThis;
  globalThis.WorkerGlobalScope = class {};
  globalThis.location = { href: pathToFileURL(folder).href + '/' };

  const hooks = { wasmBinary: readFileSync(join(folder, 'trace_processor.wasm')) };
  globalThis.trace2xHooks = hooks;
  const edits = [
    // The package has the 32-bit module only; a recent Node would choose the other.
    ['this.useMemory64 = hasMemory64Support();', 'this.useMemory64 = false;'],
    // Without the bytes at hand it would look for them with fetch().
    ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: self.trace2xHooks.wasmBinary,'],
    ['deferredRuntimeInitialized.then(', 'self.trace2xHooks.ready = deferredRuntimeInitialized.then('],
    ['const wasmBridge = new ', 'const wasmBridge = self.trace2xHooks.bridge = new '],
  ];
  let source = readFileSync(join(folder, 'engine_bundle.node.js'), 'utf8');
  for (const [from, to] of edits) {
    if (source.split(from).length !== 2) throw new Error(`engine_bundle.node.js does not contain once: ${from}`);
    source = source.replace(from, () => to);
  }
  runInThisContext(source, { filename: 'engine_bundle.node.js' });
  await hooks.ready;
  return hooks.bridge;
}

async function startEngine(folder) {
  const [bridge, { EngineBase }] = await Promise.all([
    startBridge(folder),
    import(pathToFileURL(join(folder, 'engine.mjs')).href),
  ]);
  // Stands in for the MessagePort between UI and worker. Plain calls keep it
  // synchronous: a crash of the module surfaces in the call that caused it.
  const port = { postMessage: (bytes) => engine.onRpcResponseBytes(bytes) };
  class DirectEngine extends EngineBase {
    id = 'trace2x';
    mode = 'WASM';
    rpcSendRequestBytes(bytes) {
      port.onmessage({ data: bytes });
    }
  }
  const engine = new DirectEngine();
  bridge.initialize(port); // sets port.onmessage
  await engine.resetTraceProcessor(uiDefaults);
  return engine;
}

async function load(engine, trace) {
  const fd = openSync(trace);
  const chunk = new Uint8Array(32 << 20);
  for (let n; (n = readSync(fd, chunk)) > 0; ) {
    await engine.parse(chunk.subarray(0, n));
  }
  await engine.notifyEof();
}

// cell writes an SQL value as JSON that tells the types apart:
// INTEGER as a number without fraction or exponent, exact to the last digit;
// REAL as a number with one of them; BLOB as {"blob":"<base64>"}.
function cell(value) {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'number') return JSON.stringify({ blob: Buffer.from(value).toString('base64') });
  // JSON has no infinity, but a number too large for a float64 reads as one.
  // NaN cannot come: SQLite turns it into NULL.
  if (!Number.isFinite(value)) return value < 0 ? '-1e999' : '1e999';
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /[.e]/.test(text) ? text : text + '.0';
}

// The engine's row iterator keeps a row's columns and its own methods in one object.
const iteratorMembers = ['_impl', 'next', 'valid', 'get'];

async function answer(engine, sql) {
  const result = await engine.query(sql);
  const columns = result.columns();
  for (const name of columns) {
    if (iteratorMembers.includes(name)) throw new Error(`a column cannot be read under the name ${name}: rename it with AS`);
  }
  const rows = [];
  for (const row = result.iter({}); row.valid(); row.next()) {
    rows.push(`[${columns.map((name) => cell(row.get(name))).join()}]`);
  }
  return `{"columns":${JSON.stringify(columns)},"rows":[${rows.join()}]}`;
}

// Counted from the end because a script passed with --eval has no name in argv.
const [folder, trace] = process.argv.slice(-2);
let engine;
try {
  engine = await startEngine(folder);
  await load(engine, trace);
} catch (err) {
  replyError(err);
  process.exit(1);
}
reply('{"ready":true}');

for await (const line of createInterface({ input: process.stdin })) {
  try {
    reply(await answer(engine, JSON.parse(line).sql));
  } catch (err) {
    replyError(err);
  }
}
process.exit(0);

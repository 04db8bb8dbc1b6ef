// Cloudflare's D1 REST API in front of workerd's own D1, with the faults that a test has asked
// control.js for. Of the documented limits, only that of 2,000,000 bytes is enforced here; workerd
// enforces the others, in D1's own words. Read from the bottom: fetch, answer, run.

import { control, countAgainstRate, record, state, takeFault } from './control.js';
import { splitStatements } from './statements.js';

const PATH = /^\/client\/v4\/accounts\/[\w-]+\/d1\/database\/([^/]+)\/(query|raw)$/;
const MAX_VALUE_BYTES = 2000000; // workerd itself: 2,200,000

const encoder = new TextEncoder();

class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const malformed = (why) => new ApiError(400, 7400, `The request is malformed: ${why}`);

// A string has at least as many bytes as its length, and at most three times as many: most are
// judged without encoding them.
function longerThan(text, bytes) {
  if (text.length * 3 <= bytes) return false;
  return text.length > bytes || encoder.encode(text).length > bytes;
}

function checkParam(param) {
  if (typeof param === 'boolean') return param ? 1 : 0;
  if (param !== null && typeof param !== 'number' && typeof param !== 'string') {
    throw malformed('a parameter must be a string, a number, a boolean or null');
  }
  if (typeof param === 'string' && longerThan(param, MAX_VALUE_BYTES)) {
    throw new ApiError(400, 7500, 'string or blob too big: SQLITE_TOOBIG');
  }
  return param;
}

function parseQuery(query) {
  const { sql, params = [] } = query ?? {};
  if (typeof sql !== 'string') throw malformed('sql must be a string');
  if (params !== null && !Array.isArray(params)) throw malformed('params must be an array');
  const values = (params ?? []).map(checkParam);
  const statements = splitStatements(sql);
  if (statements.length > 1 && values.length > 0) {
    throw malformed('params are not supported with several statements');
  }
  return statements.map((statement) => ({ sql: statement, params: values }));
}

function parseBody(text) {
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw malformed('the body is not JSON');
  }
  const queries = Array.isArray(body?.batch) ? body.batch : [body];
  return queries.flatMap(parseQuery);
}

// The whole request is one transaction in workerd's D1, and its answer is held back until that is
// on disk. An object that resets throws instead of answering, which Cloudflare, too, reports as a
// 400 with 7500.
async function run(env, database, statements, format) {
  const object = env.D1.get(env.D1.idFromName(database));
  let answer;
  try {
    const response = await object.fetch(`http://d1/query?resultsFormat=${format}`, {
      method: 'POST',
      body: JSON.stringify(statements),
      cf: { miniflare: { name: database } }, // D1's worker refuses to answer without it
    });
    const text = await response.text();
    answer = response.ok ? JSON.parse(text) : { error: text };
  } catch (error) {
    throw new ApiError(400, 7500, error.message);
  }
  if (answer.error !== undefined) throw new ApiError(400, 7500, answer.error);
  return answer;
}

const success = (result) => ({ result, success: true, errors: [], messages: [] });
const failure = (code, message) => ({
  result: [],
  success: false,
  errors: [{ code, message }],
  messages: [],
});

const sleep = (ms) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);

async function runUnderFault(env, database, statements, format, fault, entry) {
  await sleep(state.latency_ms + (fault?.delay_before_ms ?? 0));
  let result = [];
  let failed = null;
  if (fault?.commit ?? true) {
    try {
      result = await run(env, database, statements, format);
      entry.statements = statements.length;
    } catch (error) {
      failed = error;
    }
  }
  for (const { meta } of result) {
    entry.rows_read += meta.rows_read;
    entry.rows_written += meta.rows_written;
  }
  await sleep(fault?.delay_after_ms);
  if (fault?.replaced) {
    const status = fault.status ?? 400;
    const message = fault.message ?? `status ${status}`;
    const body = fault.body ?? JSON.stringify(failure(fault.code ?? 7500, message));
    return { status, body, headers: fault.headers, cut: fault.cut };
  }
  if (failed !== null) throw failed;
  const body = JSON.stringify(success(result));
  return { status: 200, body, headers: fault?.headers, cut: fault?.cut };
}

// Refuses whatever can be refused before the SQL runs, in the order in which Cloudflare checks it.
async function answer(request, env, url, entry) {
  const text = await request.text();
  entry.bytes_in = Number(request.headers.get('content-length') ?? text.length);
  let rate = { headers: {} };
  try {
    const path = PATH.exec(url.pathname);
    if (path === null) {
      const why = 'perhaps your object identifier is invalid?';
      throw new ApiError(404, 7003, `Could not route to ${url.pathname}, ${why}`);
    }
    const [, database, form] = path;
    if (new RegExp(env.DATABASES).test(database)) entry.database = database;
    if (request.method !== 'POST') {
      throw new ApiError(405, 10405, 'Method not allowed for this authentication scheme');
    }
    if (request.headers.get('authorization') !== `Bearer ${env.TOKEN}`) {
      throw new ApiError(401, 10000, 'Authentication error');
    }
    rate = countAgainstRate(entry.at); // after the token is checked: the rule applies to a token
    if (rate.refused) {
      throw new ApiError(429, 971, 'Please wait and consider throttling your request speed');
    }
    if (entry.database === null) {
      throw new ApiError(404, 7404, `The database ${database} could not be found`);
    }
    const statements = parseBody(text);
    const fault = takeFault(database, statements);
    entry.fault =
      fault && (fault.name ?? fault.message ?? fault.cut ?? String(fault.status ?? 'delay'));
    const format = form === 'raw' ? 'ROWS_AND_COLUMNS' : 'ARRAY_OF_OBJECTS';
    const reply = await runUnderFault(env, database, statements, format, fault, entry);
    return { ...reply, headers: { ...rate.headers, ...reply.headers } };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const body = JSON.stringify(failure(error.code, error.message));
    return { status: error.status, body, headers: rate.headers };
  }
}

// Half a body with the Content-Length of all of it: the connection has to break, which aborting the
// stream does.
function halfBody(bytes) {
  const { readable, writable } = new FixedLengthStream(bytes.length);
  const writer = writable.getWriter();
  writer
    .write(bytes.slice(0, bytes.length / 2))
    .then(() => writer.abort(new Error('cut on request')))
    .catch(() => {}); // the client may have gone by then
  return readable;
}

function toResponse({ status, body, headers, cut }, entry) {
  const bytes = encoder.encode(body);
  entry.status = status;
  entry.bytes_out = bytes.length;
  const init = { status, headers: { 'content-type': 'application/json', ...headers } };
  if (cut === 'half') return new Response(halfBody(bytes), init);
  return new Response(cut === 'short' ? bytes.slice(0, bytes.length / 2) : bytes, init);
}

async function serve(request, env, url) {
  const { stats } = state;
  const entry = {
    at: Date.now(),
    ms: 0,
    database: null, // until a request names one that exists
    status: 0,
    fault: null,
    statements: 0,
    rows_read: 0,
    rows_written: 0,
    bytes_in: 0,
    bytes_out: 0,
  };
  stats.requests++;
  stats.max_in_flight = Math.max(stats.max_in_flight, ++state.inFlight);
  try {
    return toResponse(await answer(request, env, url, entry), entry);
  } finally {
    state.inFlight--;
    entry.ms = Date.now() - entry.at;
    record(entry);
  }
}

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname.startsWith('/control/')) return control(request, url, env);
    const served = serve(request, env, url);
    // As with Cloudflare, a request still runs after its client has hung up: its statement lands
    // late.
    context.waitUntil(served.catch(() => {}));
    return served;
  },
};

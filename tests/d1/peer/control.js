// Requests of a test to the peer besides SQL: faults, limits, counts. All of it is in memory: a
// peer that is killed and started again keeps its databases, and starts here from nothing.

const LOG_LIMIT = 10000;

export const state = fresh(1);

function fresh(seed) {
  return {
    faults: [],
    rate: null, // null: off; else the fields of RATE_FIELDS
    latency_ms: 0,
    recent: [], // when the requests within the rate's window came
    blockedUntil: 0,
    random: seed,
    inFlight: 0,
    stats: {
      requests: 0,
      statements: 0,
      rows_read: 0,
      rows_written: 0,
      bytes_in: 0,
      bytes_out: 0,
      rate_limited: 0,
      faults_fired: 0,
      max_in_flight: 0,
      by_status: {},
      by_database: {},
    },
    log: [],
  };
}

// The fields of a fault and their types, so that a misspelt one is an error and not a test that
// tests nothing.
const FAULT_FIELDS = {
  name: 'string', // shown in the log of requests
  count: 'number', // how many requests it takes; 0: all that come
  probability: 'number',
  match: 'string', // a regular expression that must be found in the SQL
  database: 'string',
  delay_before_ms: 'number',
  delay_after_ms: 'number',
  commit: 'boolean', // whether the SQL runs; by default only if the answer is not replaced
  status: 'number',
  code: 'number',
  message: 'string',
  headers: 'object',
  body: 'string', // instead of the JSON
  cut: 'string', // half: a true Content-Length and half a body; short: half a JSON and a clean end
};

const RATE_FIELDS = { requests: 'number', window_ms: 'number', block_ms: 'number' };
const CLOUDFLARE_RATE = { requests: 1200, window_ms: 300000, block_ms: 300000 };

function checkFields(given, fields) {
  for (const [field, value] of Object.entries(given)) {
    if (fields[field] === undefined) throw new Error(`${field}: there is no such field`);
    if (typeof value !== fields[field]) throw new Error(`${field}: must be a ${fields[field]}`);
  }
  return given;
}

function checkFault(fault) {
  checkFields(fault, FAULT_FIELDS);
  if (fault.cut !== undefined && !['half', 'short'].includes(fault.cut)) {
    throw new Error('cut: half or short');
  }
  const replaced =
    fault.status !== undefined || fault.message !== undefined || fault.body !== undefined;
  return {
    ...fault,
    count: fault.count ?? 1,
    probability: fault.probability ?? 1,
    match: fault.match === undefined ? null : new RegExp(fault.match),
    commit: fault.commit ?? !replaced,
    replaced,
  };
}

// Park and Miller's generator, so that a failed run can be repeated with the same seed.
function random() {
  state.random = (state.random * 48271) % 2147483647;
  return state.random / 2147483647;
}

export function takeFault(database, statements) {
  const index = state.faults.findIndex(
    (fault) =>
      (fault.database === undefined || fault.database === database) &&
      (fault.match === null || statements.some(({ sql }) => fault.match.test(sql))) &&
      (fault.probability >= 1 || random() < fault.probability),
  );
  if (index < 0) return null;
  const fault = state.faults[index];
  if (fault.count > 0 && --fault.count === 0) state.faults.splice(index, 1);
  state.stats.faults_fired++;
  return fault;
}

// Counts a request against the rate rule. Any window of that length counts, which is the strictest
// reading of "1,200 in 5 minutes". Returns the headers that every answer carries, and whether this
// request is refused.
export function countAgainstRate(now) {
  const { rate } = state;
  if (rate === null) return { refused: false, headers: {} };
  while (state.recent.length > 0 && state.recent[0] <= now - rate.window_ms) state.recent.shift();
  let refused = now < state.blockedUntil;
  if (!refused && state.recent.length >= rate.requests) {
    refused = true;
    state.blockedUntil = now + rate.block_ms;
  }
  if (!refused) state.recent.push(now);
  const left = refused ? 0 : rate.requests - state.recent.length;
  const reset = refused ? state.blockedUntil - now : state.recent[0] + rate.window_ms - now;
  const headers = {
    ratelimit: `"default";r=${left};t=${seconds(reset)}`,
    'ratelimit-policy': `"default";q=${rate.requests};w=${seconds(rate.window_ms)}`,
  };
  if (refused) {
    headers['retry-after'] = String(seconds(reset));
    state.stats.rate_limited++;
  }
  return { refused, headers };
}

const seconds = (ms) => Math.ceil(ms / 1000);

export function record(entry) {
  const { stats } = state;
  stats.statements += entry.statements;
  stats.rows_read += entry.rows_read;
  stats.rows_written += entry.rows_written;
  stats.bytes_in += entry.bytes_in;
  stats.bytes_out += entry.bytes_out;
  stats.by_status[entry.status] = (stats.by_status[entry.status] ?? 0) + 1;
  if (entry.database !== null) {
    const database = (stats.by_database[entry.database] ??= { requests: 0, rows_written: 0 });
    database.requests++;
    database.rows_written += entry.rows_written;
  }
  state.log.push(entry);
  if (state.log.length > LOG_LIMIT) state.log.shift();
}

const ROUTES = {
  'GET /control/stats': () => ({
    ...state.stats,
    in_flight: state.inFlight,
    faults_left: state.faults.length,
  }),
  'GET /control/requests': () => state.log,
  'GET /control/faults': () =>
    state.faults.map((fault) => ({ ...fault, match: fault.match?.source ?? null })),
  'POST /control/faults': (body) => {
    const added = (Array.isArray(body) ? body : [body]).map(checkFault);
    state.faults.push(...added);
    return { faults_left: state.faults.length };
  },
  'DELETE /control/faults': () => {
    state.faults = [];
    return { faults_left: 0 };
  },
  'GET /control/settings': () => ({ rate: state.rate, latency_ms: state.latency_ms }),
  'POST /control/settings': ({ rate, ...rest }) => {
    state.latency_ms = checkFields(rest, { latency_ms: 'number' }).latency_ms ?? state.latency_ms;
    if (rate !== undefined) {
      state.rate = rate && { ...CLOUDFLARE_RATE, ...checkFields(rate, RATE_FIELDS) };
      state.recent = [];
      state.blockedUntil = 0;
    }
    return { rate: state.rate, latency_ms: state.latency_ms };
  },
  'POST /control/reset': (body) => {
    const { inFlight } = state; // requests under way are still counted down
    Object.assign(state, fresh(body?.seed ?? 1), { inFlight });
    return { reset: true };
  },
};

// Where the file of a database is under --state, for a test that reads it with sqlite3.
function file(url, env) {
  return { file: `d1/${env.D1.idFromName(url.searchParams.get('database'))}.sqlite` };
}

export async function control(request, url, env) {
  const name = `${request.method} ${url.pathname}`;
  try {
    if (name === 'GET /control/file') return Response.json(file(url, env));
    const route = ROUTES[name];
    if (route === undefined) {
      return Response.json({ error: `${name}: no such endpoint` }, { status: 404 });
    }
    const text = await request.text();
    return Response.json(route(text === '' ? undefined : JSON.parse(text)));
  } catch (error) {
    return Response.json({ error: error.message }, { status: 400 });
  }
}

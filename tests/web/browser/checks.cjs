// What the programs here share: they count what they look at, and a failed check names itself.
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const puppeteer = require("puppeteer-core");
const netlog = require("./netlog.cjs");

// Milliseconds until what does not come counts as missing. It is for what hangs: puppeteer's own limit
// of 30 s is too near for a processor that many share.
const LIMIT = 120000;
const limits = { timeout: LIMIT, protocolTimeout: 2 * LIMIT };

let passed = 0, failed = 0;

function check(good, what) {
  good ? ++passed : ++failed;
  if (!good) console.log(`not ok ${what}`);
}

// One part of a program: if it cannot go on, that is a failed check, and the next part begins.
async function part(run, ...args) {
  const begun = Date.now();
  try {
    await run(...args);
  } catch (error) {
    const words = args.filter((one) => typeof one !== "object").join(" ");
    check(false, `${run.name} ${words}: ${error.stack}`);
  }
  console.log(`${run.name}: ${Date.now() - begun} ms`);
}

// A browser from its start to its end: it signs in, and does the parts that `parts` names, each a
// function and its arguments, one after another.
async function session(launched, link, parts) {
  const browser = await launched;
  try {
    const page = await open(browser);
    await page.goto(link);
    for (const [run, ...args] of parts(browser, page)) await part(run, ...args);
  } finally {
    await browser.close();
  }
}

// What a program does; then the line that tests/run.sh counts.
async function program(main) {
  await main();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

// What Chromium would ask of Google by itself goes to a port of this machine that nobody has: updates
// of its components, who is signed in. It asks neither what time it is, nor what forms are for.
const ALONE = [
  "--component-updater=url-source=http://127.0.0.1:9/",
  "--gaia-url=http://127.0.0.1:9",
  "--disable-features=NetworkTimeServiceQuerying,AutofillServerCommunication",
];

async function logged(file, args) {
  const browser = await puppeteer.launch({
    ...limits,
    executablePath: "/usr/bin/chromium",
    args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), `--log-net-log=${file}`, ...ALONE, ...args],
  });
  const close = browser.close.bind(browser);
  return { browser, close };
}

// Chromium's log of the network is in NETLOGS; it is read when the browser is closed. Nothing went to
// anywhere but this machine, whoever asked: a page, or the browser for it, such as for names in links.
// hosts: names that the test goes to besides.
let launched = 0;
async function chromium(args = [], hosts = []) {
  const file = path.join(process.env.NETLOGS, `${process.pid}-${++launched}.json`);
  const { browser, close } = await logged(file, args);
  browser.close = async () => {
    await close();
    const { requests, outside } = netlog.read(file, hosts);
    check(requests > 0, "netlog: it has no request");
    check(!outside.length, `netlog: ${outside.join("; ")}`);
    console.log(`netlog: ${requests} requests`);
    fs.unlinkSync(file);
  };
  return browser;
}

// That a request to elsewhere would be noticed: a page of another server makes some.
async function outsideIsNoticed() {
  const file = path.join(process.env.NETLOGS, `${process.pid}-outside.json`);
  const serve = http.createServer((request, reply) => {
    reply.setHeader("Content-Type", "text/html");
    reply.end('<link rel="dns-prefetch" href="//looked-up.invalid"><img src="http://asked.invalid/x.png">' +
      `<img src="http://127.0.0.2:${serve.address().port}/x.png"><p>.`);
  });
  await new Promise((ready) => serve.listen(0, "127.0.0.1", ready));
  const { port } = serve.address();
  const { browser, close } = await logged(file, []);
  try {
    const page = await open(browser);
    await page.goto(`http://127.0.0.1:${port}/`);
  } finally {
    await close();
    serve.close();
    serve.closeAllConnections();
  }
  const { outside } = netlog.read(file);
  for (const one of ["a look-up of looked-up.invalid", "a request to http://asked.invalid/x.png",
    `a request to http://127.0.0.2:${port}/x.png`, `a connection to 127.0.0.2:${port}`])
    check(outside.includes(one), `netlog: ${one} is not noticed, only ${outside.join("; ")}`);
}

const firefox = (settings) => puppeteer.launch({
  ...limits,
  browser: "firefox",
  executablePath: "/usr/bin/firefox-esr",
  extraPrefsFirefox: settings,
});

// type: "window": beside the others, so that all of them are seen.
async function open(browser, type = "tab") {
  const page = await browser.newPage({ type });
  page.setDefaultTimeout(LIMIT);
  return page;
}

// What the keys stand on.
const here = (page) => page.evaluate(() => document.querySelector(".here")?.textContent ?? "");

// What goes wrong in a page, and what it asks of others, until wrongs() is called.
function watch(page, base) {
  const wrong = [];
  page.on("console", (said) => {
    const missing = /status of 404/.test(said.text()) && /\/c\/none$/.test(page.url());
    if (said.type() === "error" && !missing) wrong.push(said.text());
  });
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${base}/`) && !/^(data|about):/.test(url)) wrong.push(`a request to ${url}`);
  });
  return function wrongs(where) {
    check(!wrong.length, `${where}: ${wrong.join("; ")}`);
    wrong.length = 0;
  };
}

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// The policy of the page does not hold for what its debugger evaluates, so axe can be put into it.
async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    (values) => window.axe.run(document, { runOnly: values }), RULES);
  const found = violations.map((one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
  check(!found.length, `${where}: axe: ${found.join("; ")}`);
}

const isWide = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

const VIEWS = {
  timeline: "/",
  nothing: "/?title=nothing",
  conversation: "/c/chatgpt%3Atank",
  untitled: "/c/chatgpt%3Auntitled",
  pond: "/c/chatgpt%3Apond",
  locks: "/c/claude%3Alocks",
  planted: "/c/chatgpt%3Aevil",
  unbroken: `/c/chatgpt%3A${"x".repeat(150)}`,
  unbroken_found: `/s?q=${"unbroken".repeat(40)}`,
  search: "/s?q=word",
  hints: "/s",
  follow_ups: "/j",
  waiting: "/j?status=waiting",
  failed: "/j?status=failed&platform=chatgpt",
  sure: "/j/all?do=snooze&status=waiting",
  plan: "/j/plan",
  controls: "/c/chatgpt%3Awork-2",
  import: "/i",
  mirrors: "/m",
  health: "/h",
  missing: "/c/none",
};

module.exports = {
  check, part, session, program, chromium, outsideIsNoticed, firefox, open, here, watch,
  accessible, isWide, LIMIT, VIEWS,
};

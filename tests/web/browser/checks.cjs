// What the programs here share: they count what they look at, and a failed check names itself.
const puppeteer = require("puppeteer-core");

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

const chromium = (...args) => puppeteer.launch({
  ...limits,
  executablePath: "/usr/bin/chromium",
  args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), ...args],
});

const firefox = (settings) => puppeteer.launch({
  ...limits,
  browser: "firefox",
  executablePath: "/usr/bin/firefox-esr",
  extraPrefsFirefox: settings,
});

async function open(browser) {
  const page = await browser.newPage();
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

const VIEWS = {
  timeline: "/",
  nothing: "/?title=nothing",
  conversation: "/c/chatgpt%3Atank",
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

module.exports = { check, part, session, program, chromium, firefox, open, here, watch, LIMIT, VIEWS };

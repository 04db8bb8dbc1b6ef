// What is done with follow-ups, as a person does it: by keyboard, live, and without JavaScript.
// usage: node follow_ups.cjs LINK COMMAND…; COMMAND is convkeep with its flags
const { execFileSync } = require("node:child_process");
const { check, session, program, chromium, open, LIMIT } = require("./checks.cjs");

const [, , link, ...command] = process.argv;
const base = new URL(link).origin;
const convkeep = (...words) => execFileSync(command[0], [...command.slice(1), ...words], { encoding: "utf8" });

const text = (page, selector) => page.$eval(selector, (part) => part.innerText);
const entries = (page, state) => page.$$eval(`.state.${state} .job-entry`, (all) => all.map((one) => one.id));

// The page says so by itself, without being loaded again.
async function comes(page, what, is, ...args) {
  const begun = Date.now();
  const there = await page.waitForFunction(is, { timeout: LIMIT, polling: 20 }, ...args).catch(() => null);
  check(there, `${what}: it does not come`);
  console.log(`${what}: ${Date.now() - begun} ms`);
}

// The page looks for itself every few seconds. While that is held, what comes has come by an event.
const holdLooks = (page) => page.evaluateOnNewDocument(() => {
  const real = window.setTimeout;
  window.held = true;
  window.setTimeout = (run, ms, ...args) => window.held && ms > 3000 ? 0 : real(run, ms, ...args);
});

async function live(browser) {
  const page = await open(browser);
  await holdLooks(page);
  await page.goto(`${base}/j`);
  await page.evaluate(() => (window.same = true));
  let fetched = 0;
  page.on("request", (request) => (fetched += request.url() === `${base}/j`));
  const [first] = await entries(page, "waiting");
  const before = await text(page, `#${CSS_escape(first)} time`);
  await comes(page, "the countdown counts on",
    (id, was) => document.getElementById(id).querySelector("time").innerText !== was, first, before);
  const [, job] = (await entries(page, "waiting")).map((id) => id.slice(2));
  convkeep("jobs", "snooze", job, "--until", "+20h");
  await comes(page, "a job that was snoozed",
    (id) => /in 19 h/.test(document.getElementById(`j-${id}`)?.innerText), job);
  check(fetched === 1, `for one change the page was fetched ${fetched} times`);
  convkeep("jobs", "cancel", job);
  await comes(page, "a job that was cancelled",
    (id) => document.querySelector(".state.failed")?.contains(document.getElementById(`j-${id}`)), job);
  // What is being typed stays.
  await page.click("#live select");
  await page.focus("#live select");
  await page.evaluate(() => (window.held = false));
  convkeep("jobs", "retry", job);
  // Nothing is to happen, and nothing tells when it has not.
  await new Promise((done) => setTimeout(done, 1500));
  check(await page.evaluate(() => document.activeElement.matches("#live select")), "the field that was used is gone");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  await comes(page, "after the field was left",
    (id) => !document.querySelector(".state.failed")?.contains(document.getElementById(`j-${id}`)), job);
  check(await page.evaluate(() => window.same), "the page was loaded again");
  await page.close();
}
const CSS_escape = (id) => id.replace(/[^\w-]/g, (c) => `\\${c}`);

const press = async (page, key) => Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
const tabTo = async (page, is) => {
  for (let i = 0; i < 200; ++i) {
    if (await page.evaluate(is)) return;
    await page.keyboard.press("Tab");
  }
  check(false, `no Tab leads to ${is}`);
};

async function keyboard(browser) {
  const page = await open(browser);
  await page.goto(`${base}/j?status=waiting`);
  const [first, second] = await entries(page, "waiting");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  check((await page.$eval(".here", (part) => part.id)) === second, "j j does not go to the second");
  await page.keyboard.press("k");
  check((await page.$eval(".here", (part) => part.id)) === first, "k does not go back");
  await tabTo(page, () => document.activeElement.value === "cancel");
  await press(page, "Enter");
  check(page.url().endsWith(`/j?status=waiting#${first}`), `cancelled, it leads to ${page.url()}`);
  check(!(await entries(page, "waiting")).includes(first), "it was not cancelled by keyboard");
  await page.goto(`${base}/`);
  await tabTo(page, () => document.activeElement.innerText === "Pause all follow-ups");
  await press(page, "Enter");
  check(page.url() === `${base}/`, `the switch leads to ${page.url()}`);
  check((await text(page, ".switch summary")).startsWith("Paused, "), "nothing is paused");
  await tabTo(page, () => document.activeElement.matches(".switch summary"));
  await page.keyboard.press("Enter");
  check((await text(page, ".switch .panel")).includes("Paused: everything since"), "it does not say since when");
  await page.keyboard.press("Escape");
  check(!(await page.$(".switch details[open]")), "Escape does not fold what the switch says");
  await tabTo(page, () => document.activeElement.innerText === "Resume all follow-ups");
  await press(page, "Enter");
  check(!(await page.$(".switch.paused")), "it is still paused");
  await page.close();
}

async function withoutScript(browser) {
  const page = await open(browser);
  await page.setJavaScriptEnabled(false);
  // By the keyboard: a page that goes to its #message moves what the mouse has been aimed at.
  const use = async (selector) => {
    await page.focus(selector);
    await page.keyboard.press("Enter");
  };
  const click = async (selector) => Promise.all([page.waitForNavigation(), use(selector)]);
  await page.goto(`${base}/j?status=failed`);
  const failed = (await entries(page, "failed")).length;
  check(failed >= 2, `${failed} have failed`);
  await click(".all a");
  check((await text(page, ".sure")).includes(`${failed} follow-ups that failed`), "the count is not said");
  await click(".sure button");
  check((await text(page, ".sure")).includes(`${failed} are due again, of the ${failed}`),
    `it says: ${await text(page, ".sure")}`);
  await page.goto(`${base}/c/chatgpt%3Awork-9`);
  await click('.turns button[value="auto"]');
  check(await page.$("h1 .tag.auto"), "the conversation is not on auto");
  await use(".controls details:nth-of-type(2) summary");
  await page.type('input[name="stop_after"]', "4");
  await click(".controls details:nth-of-type(2) button");
  check((await page.$eval('input[name="stop_after"]', (field) => field.value)) === "4", "the rule is not kept");
  await use(".controls details:nth-of-type(1) summary");
  await page.type('input[name="at"]', "+3h");
  await click(".controls details:nth-of-type(1) button");
  check(await page.$(".job a[href^='/j?conversation=']"), "no follow-up stands at its message");
  await click(".job a");
  check((await page.$eval(".job-entry", (part) => part.innerText)).includes("in 2 h 59 min"), "it is not on /j");
  await click('button[value="cancel"]');
  await page.close();
}

// Another page's form: it has no token, and no cookie goes with it.
async function forged(browser) {
  const page = await open(browser);
  await page.goto(`${base}/static/icon.svg`);
  const status = await page.evaluate(async () => {
    const form = new URLSearchParams({ kind: "everything", name: "", form: "0".repeat(64) });
    return (await fetch("/pause", { method: "POST", body: form, redirect: "manual" })).status;
  });
  check(status === 403, `a forged token: ${status}`);
  const other = `data:text/html,<form method=post action="${base}/pause"><input name=kind value=everything>` +
    "<button>x</button></form>";
  await page.goto(other);
  const [reply] = await Promise.all([page.waitForNavigation(), page.click("button")]);
  check(reply.status() === 403 || reply.status() === 401, `another origin: ${reply.status()}`);
  await page.goto(`${base}/j`);
  check(!(await page.$(".switch.paused")), "a forged form has paused");
  await page.close();
}

// A name of another server that leads to webd's address: the browser takes it for one origin.
async function rebound() {
  const browser = await chromium(["--host-resolver-rules=MAP rebound.example 127.0.0.1"], ["rebound.example"]);
  try {
    const page = await open(browser);
    const reply = await page.goto(`http://rebound.example:${new URL(base).port}/`);
    check(reply.status() === 421, `a name that is none of webd's: ${reply.status()}`);
    const read = await page.evaluate(async () => (await fetch("/v1/status")).status);
    check(read === 421, `a page of that name reads: ${read}`);
  } finally {
    await browser.close();
  }
}

async function leave(browser) {
  const page = await open(browser);
  await page.goto(`${base}/`);
  await Promise.all([page.waitForNavigation(), page.click("footer form button")]);
  check((await text(page, "main")).includes("convkeep open"), "signing out leads elsewhere");
  await page.close();
}

program(() => session(chromium(), link, (browser) =>
  [live, keyboard, withoutScript, forged, rebound, leave].map((one) => [one, browser])));

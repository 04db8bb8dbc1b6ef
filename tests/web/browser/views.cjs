// Opens every view, and says what is wrong. usage: node views.cjs LINK FOLDER
const fs = require("node:fs");
const path = require("node:path");
const puppeteer = require("puppeteer-core");

const [, , link, folder] = process.argv;
const base = new URL(link).origin;
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const VIEWS = {
  timeline: "/",
  nothing: "/?title=nothing",
  conversation: "/c/chatgpt%3Atank",
  planted: "/c/chatgpt%3Aevil",
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

let wrong = 0;
function check(good, what) {
  if (good) return;
  ++wrong;
  console.log(`WRONG   ${what}`);
}

function watch(page) {
  page.on("console", (said) => {
    const missing = /status of 404/.test(said.text()) && /\/c\/none$/.test(page.url());
    check(said.type() !== "error" || missing, `${page.url()}: ${said.text()}`);
  });
  page.on("pageerror", (error) => check(false, `${page.url()}: ${error.message}`));
  page.on("request", (request) => {
    const url = request.url();
    check(url.startsWith(base) || url.startsWith("data:"), `a request to ${url}`);
  });
}

async function look(browser, theme, width) {
  const page = await browser.newPage();
  watch(page);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  for (const [name, view] of Object.entries(VIEWS)) {
    await page.goto(base + view);
    await page.screenshot({ path: path.join(folder, `${name}-${theme}-${width}.png`) });
    check((await page.title()) !== "taken", `${name}: what was planted has run`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    check(!wide, `${name} ${width}: it is wider than the window`);
  }
  await page.close();
}

// axe is put into the page, which the page's policy would not allow.
async function accessible(browser, theme, width) {
  const page = await browser.newPage();
  await page.setBypassCSP(true);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  for (const [name, view] of Object.entries(VIEWS)) {
    await page.goto(base + view);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(
      (values) => window.axe.run(document, { runOnly: values }), RULES);
    for (const one of violations)
      check(false, `${name} ${theme} ${width}: ${one.id}: ${one.nodes[0].html.slice(0, 200)}`);
  }
  await page.close();
}

const here = (page) => page.evaluate(() => document.querySelector(".here")?.textContent ?? "");

async function keyboard(browser) {
  const page = await browser.newPage();
  watch(page);
  await page.goto(`${base}/?title=fish`);
  await page.keyboard.press("j");
  check((await here(page)).includes("Fish tank"), "j does not go to the first conversation");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("o")]);
  check(page.url() === `${base}/c/chatgpt%3Atank`, `o opens ${page.url()}`);
  await page.keyboard.press("n");
  check((await here(page)).includes("How many fish"), "n does not go to the first question");
  await page.keyboard.press("n");
  check((await here(page)).includes("And the plants"), "n does not go to the second question");
  await page.keyboard.press("N");
  check((await here(page)).includes("How many fish"), "N does not go back");
  await page.keyboard.press("?");
  check(await page.$("dialog[open]"), "? shows no keys");
  await page.keyboard.press("Escape");
  check(!(await page.$("dialog[open]")), "Escape does not close the keys");
  check(await page.$(".code .copy"), "code has no button to copy it");
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement.id === "q"), "/ does not lead to search");
  await page.goto(`${base}/s`);
  await page.type("#q", "plants");
  await page.waitForSelector(".found mark");
  check(page.url().endsWith("/s?q=plants"), `as one types, the address is ${page.url()}`);
  await page.close();
}

async function long(browser) {
  const page = await browser.newPage();
  watch(page);
  const begin = Date.now();
  await page.goto(`${base}/c/chatgpt%3Along`);
  const count = await page.evaluate(() => document.querySelectorAll(".m").length);
  check(count === 2000, `${count} of 2,000 messages came`);
  console.log(`2,000 messages: loaded in ${Date.now() - begin} ms`);
  check(await page.evaluate(() => window.find("number 1999")), "the browser does not find the last");
  await page.close();
}

// Files are sent, and the report comes by itself; by keyboard alone.
async function imports(browser) {
  const page = await browser.newPage();
  watch(page);
  await page.goto(`${base}/i`);
  check(await page.$(".drop-hint"), "nothing says that files can be dropped");
  const said = path.join(folder, "said.jsonl"), bad = path.join(folder, "bad.json");
  fs.writeFileSync(said, JSON.stringify({ platform: "x", role: "user", text: "Hi", message_id: "b1",
    conversation_id: "b", observed_at: 1700000000000 }) + "\nno JSON\n");
  fs.writeFileSync(bad, '{"broken": ');
  await (await page.$("input[name=file]")).uploadFile(said, bad);
  await page.focus("form.upload button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check(/\/i\/[0-9a-f]+$/.test(page.url()), `after sending: ${page.url()}`);
  await page.waitForFunction(() => /done, with failures/.test(document.body.innerText));
  const text = await page.evaluate(() => document.body.innerText);
  for (const part of ["line 2", "bad.json", "cut off", "spool/refused.jsonl"])
    check(text.includes(part), `the report has no ${part}`);
  for (const theme of ["light", "dark"])
    for (const width of [1280, 390]) {
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      await page.screenshot({ path: path.join(folder, `report-${theme}-${width}.png`) });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      check(!wide, `report ${width}: it is wider than the window`);
    }
  await page.close();
}

// What is dropped comes with its folders.
async function drops(browser) {
  const page = await browser.newPage();
  watch(page);
  await page.goto(`${base}/i`);
  await Promise.all([page.waitForNavigation(), page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['{"platform":"x","role":"user","text":"dropped"}\n'], "drop.jsonl"));
    const form = document.querySelector("form.upload");
    form.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  })]);
  await page.waitForFunction(() => /done/.test(document.body.innerText));
  check((await page.evaluate(() => document.body.innerText)).includes("drop.jsonl"), "no drop");
  await page.close();
}

async function health(browser) {
  const page = await browser.newPage();
  watch(page);
  await page.goto(`${base}/h`);
  const first = await page.$eval("#live time:last-of-type", () => document.querySelector("#live").innerText);
  await page.waitForFunction((was) => document.querySelector("#live").innerText !== was, {}, first);
  await page.focus("#doctor ~ form button");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  await page.waitForFunction(() => /every page and index is sound/.test(document.body.innerText));
  await page.screenshot({ path: path.join(folder, "doctor.png"), fullPage: true });
  await page.goto(`${base}/h`);
  await page.keyboard.press("j");
  check((await here(page)).includes("up"), "j does not go to the first row");
  await page.close();
}

async function withoutScript(browser) {
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(`${base}/`);
  await Promise.all([page.waitForNavigation(), page.click("a[rel=next]")]);
  check(page.url().includes("next="), "without JavaScript nothing is older");
  await page.type("#q", "plants");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check(page.url().includes("/s?q=plants"), "without JavaScript nothing is searched");
  await page.goto(`${base}/i`);
  await (await page.$("input[name=file]")).uploadFile(path.join(folder, "said.jsonl"));
  await Promise.all([page.waitForNavigation(), page.click("form.upload button")]);
  check(/\/i\/[0-9a-f]+$/.test(page.url()), `without JavaScript, after sending: ${page.url()}`);
  for (let i = 0; i < 100 && !(await page.content()).includes("done, with"); ++i) await page.reload();
  check((await page.content()).includes("line 2"), "without JavaScript there is no report");
  await page.goto(`${base}/h`);
  await Promise.all([page.waitForNavigation(), page.click("#doctor ~ form button")]);
  check(page.url().endsWith("/h#doctor"), `without JavaScript, doctor: ${page.url()}`);
  const left = await browser.newPage();
  await left.goto(`${base}/`);
  await Promise.all([left.waitForNavigation(), left.click("footer button")]);
  check((await left.content()).includes("convkeep open"), "it is still signed in");
  await left.close();
  await page.close();
}

async function main() {
  const browser = await puppeteer.launch({
    executablePath: "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    const page = await browser.newPage();
    await page.goto(link);
    await page.goto(`${base}/s?q=word`);
    for (let i = 0; i < 50 && !(await page.$(".found")); ++i) await page.reload();
    await page.close();
    for (const theme of ["light", "dark"])
      for (const width of [1280, 390]) {
        await look(browser, theme, width);
        await accessible(browser, theme, width);
      }
    await keyboard(browser);
    await imports(browser);
    await drops(browser);
    await health(browser);
    await long(browser);
    await withoutScript(browser);
  } finally {
    await browser.close();
  }
  console.log(wrong ? `${wrong} wrong` : "everything is right");
  process.exitCode = wrong ? 1 : 0;
}

main();

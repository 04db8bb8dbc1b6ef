// What somebody may need of the page: keys of one letter that are off, what is live held still, no
// motion, paper; and that it says when what was typed is not searched.
// usage: node comfort.cjs LINK SHOTS COMMAND…; COMMAND is convkeep with its flags
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { check, session, program, chromium, open, here, watch, accessible, LIMIT } = require("./checks.cjs");

const [, , link, shots, ...command] = process.argv;
const base = new URL(link).origin;
const convkeep = (...words) => execFileSync(command[0], [...command.slice(1), ...words], { encoding: "utf8" });
const POND = "/c/chatgpt%3Apond", LONG = "/c/chatgpt%3Along";

const shot = (page, name, whole = false) =>
  page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: whole });
const comes = (page, is, ...args) => page.waitForFunction(is, { timeout: LIMIT, polling: 20 }, ...args);
const seen = (page, selector) => page.$$eval(selector, (all) => all.some((one) => one.checkVisibility({
  visibilityProperty: true, contentVisibilityAuto: true })));

// Opens the list of keys as the footer does, and turns the keys of one letter on or off there.
async function turnLetters(page) {
  await page.focus(".letters button");
  await page.keyboard.press("Enter");
  check(await page.$("dialog[open]"), "the footer does not open the list of keys");
  await page.focus("dialog input");
  await page.keyboard.press("Space");
}

async function lettersOff(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  const off = async (where) => {
    for (const key of ["j", "?", "/", "n"]) await page.keyboard.press(key);
    check(!(await here(page)), `${where}: j goes somewhere`);
    check(!(await page.$("dialog[open]")), `${where}: ? opens the list`);
    check(await page.evaluate(() => document.activeElement === document.body), `${where}: / leads somewhere`);
    check(!(await seen(page, ".letters kbd")), `${where}: the footer names keys`);
  };
  await page.goto(`${base}/`);
  check(await seen(page, ".letters kbd"), "the footer names no keys");
  await turnLetters(page);
  await shot(page, "keys-light");
  await accessible(page, "keys light");
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await shot(page, "keys-dark");
  await accessible(page, "keys dark");
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await off("turned off");
  await page.goto(base + POND);
  await off("turned off, on another page");
  await page.focus("#q");
  await page.keyboard.press("Escape");
  check(await page.evaluate(() => document.activeElement === document.body), "Escape does not leave the field");
  await turnLetters(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  check((await here(page)).includes("What lives in this pond"), "turned on again, j goes nowhere");
  wrongs("letters");
  await page.close();
}

// A browser that keeps nothing refuses even to be asked.
async function nothingKept(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  await page.evaluateOnNewDocument(() => {
    for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
  });
  await page.goto(`${base}/h`);
  await turnLetters(page);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  check(!(await here(page)), "nothing is kept: j goes somewhere");
  await page.focus(".hold button");
  await page.keyboard.press("Enter");
  check(await page.$(".hold button[aria-pressed=true]"), "nothing is kept: it is not held");
  wrongs("nothing kept");
  await page.close();
}

async function keys(browser) {
  const page = await open(browser);
  await page.goto(base + POND);
  await page.keyboard.press("t");
  check(await page.evaluate(() => document.activeElement === document.querySelector(".contents a")),
    "t does not lead to the questions");
  await page.goto(base + LONG);
  await page.keyboard.press("N");
  await comes(page, () => scrollY > 1000);
  await page.keyboard.press("g");
  await comes(page, () => scrollY === 0).catch(() => check(false, "g does not lead to the top"));
  check(!(await here(page)), "g leaves something marked");
  await page.close();
}

// Keys move the page at once, or by and by.
async function motion(browser) {
  const page = await open(browser);
  for (const [value, wanted] of [["reduce", "auto"], ["no-preference", "smooth"]]) {
    await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value }]);
    await page.goto(base + LONG);
    const is = await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior);
    check(is === wanted, `motion ${value}: the page scrolls ${is}`);
    const moved = await page.evaluate(() => {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "N", bubbles: true }));
      return scrollY;
    }).catch((error) => error.message);
    check(value === "reduce" ? moved > 1000 : moved === 0, `motion ${value}: N moves it by ${moved} at once`);
  }
  await page.close();
}

async function paper(browser) {
  const page = await open(browser);
  await page.setViewport({ width: 794, height: 1123 });
  await page.emulateMediaType("print");
  await page.goto(base + POND);
  await page.evaluate(() => {
    for (const image of document.images) image.loading = "eager";
  });
  await comes(page, () => [...document.images].every((image) => image.complete));
  for (const part of [".bar", "button", ".self", ".contents", ".controls", "footer"])
    check(!(await seen(page, part)), `paper: ${part} is on it`);
  const said = await page.evaluate(() => document.body.innerText);
  for (const part of ["A newt wants 40 litres", "smooth newt tank litres", "ZeroDivisionError", "only look at them"])
    check(said.includes(part), `paper: it has no ${part}`);
  await shot(page, "paper-pond", true);
  await page.goto(base + LONG);
  check(await page.$$eval(".m", (all) => all.every((one) => getComputedStyle(one).contentVisibility === "visible" &&
    one.querySelector("article").checkVisibility())), "paper: messages are left out");
  await page.goto(`${base}/`);
  check(!(await seen(page, ".filters, .more")), "paper: the filters are on it");
  await page.goto(`${base}/j`);
  check(!(await seen(page, ".hold, .acts, .tools, .chips, button")), "paper: what can be done is on it");
  await shot(page, "paper-jobs", true);
  await page.close();
}

// The page looks for itself every few seconds; here it does so at once.
const hasten = (page) => page.evaluateOnNewDocument(() => {
  const real = window.setTimeout;
  window.setTimeout = (run, ms, ...args) => real(run, ms > 3000 ? 200 : ms, ...args);
});
const live = (page) => page.$eval("#live", (part) => part.innerText);

async function held(browser) {
  const page = await open(browser);
  const wrongs = watch(page, base);
  let asked = 0;
  page.on("request", (request) => (asked += request.url() === `${base}/j`));
  await hasten(page);
  await page.goto(`${base}/j`);
  await comes(page, (was) => document.querySelector("#live").innerText !== was, await live(page));
  await page.focus(".hold button");
  await page.keyboard.press("Enter");
  check(await page.$(".hold button[aria-pressed=true]"), "the button does not say that it is held");
  await shot(page, "held");
  await accessible(page, "held");
  const before = await live(page), was = asked;
  const job = convkeep("renew", "chatgpt:work-10", "--payload", "while it is held", "--at", "+30h").split(":")[0];
  // Nothing is to happen, and nothing tells when it has not.
  await new Promise((done) => setTimeout(done, 1500));
  check((await live(page)) === before, "what is held has changed");
  check(asked === was, `while it was held, the page was fetched ${asked - was} times`);
  await page.reload();
  check(await page.$(".hold button[aria-pressed=true]"), "loaded again, it is no longer held");
  await page.focus(".hold button");
  await page.keyboard.press("Space");
  check(await page.$(".hold button[aria-pressed=false]"), "it cannot be let go");
  convkeep("jobs", "cancel", job);
  await comes(page, (id) => document.querySelector(".state.failed")?.contains(document.getElementById(`j-${id}`)), job);
  for (const view of ["/m", "/h", "/j/plan"]) {
    await page.goto(base + view);
    check(await seen(page, ".hold button"), `${view}: nothing holds it`);
  }
  await page.setJavaScriptEnabled(false);
  for (const view of ["/j", "/h"]) {
    await page.goto(base + view);
    check(!(await seen(page, ".hold, .letters")), `${view}: without JavaScript it has buttons that do nothing`);
  }
  wrongs("held");
  await page.close();
}

// No server, and then nobody who is signed in: comes last.
async function unsearched(browser) {
  const page = await open(browser);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  const says = (words) => comes(page, (what) =>
    [...document.querySelectorAll("[role=status]")].some((part) => part.innerText.includes(what)), words);
  await page.goto(`${base}/s?q=plants`);
  await page.setOfflineMode(true);
  await page.focus("#q");
  await page.keyboard.press("End");
  await page.keyboard.type(" word");
  await says("Not searched: the server does not answer");
  check(await page.$(".found mark"), "what was found before is gone");
  check(page.url() === `${base}/s?q=plants`, `it was not searched, but the address is ${page.url()}`);
  await page.setOfflineMode(false);
  await page.keyboard.type("s");
  await comes(page, () => !document.body.innerText.includes("Not searched"));
  check(page.url() === `${base}/s?q=plants+words`, `it is searched again at ${page.url()}`);
  const client = await page.createCDPSession();
  await client.send("Network.clearBrowserCookies");
  await page.keyboard.type("x");
  await says("Not searched: ");
  check(!errors.length, `unsearched: ${errors.join("; ")}`);
  await shot(page, "unsearched");
  await accessible(page, "unsearched");
  await page.close();
}

program(() => session(chromium(), link, (browser) =>
  [lettersOff, nothingKept, keys, motion, paper, held, unsearched].map((one) => [one, browser])));

// The same page in Firefox: each view once in both themes, keys, forms, and without JavaScript.
// What Firefox shows differently goes by its settings: one browser for each of them.
// usage: node firefox.cjs SHOTS COMMAND…; COMMAND is convkeep with its flags
const { execFileSync } = require("node:child_process");
const path = require("node:path");
const { check, part, session, program, firefox, here, watch, VIEWS } = require("./checks.cjs");

const [, , shots, ...command] = process.argv;
const convkeep = (...words) => execFileSync(command[0], [...command.slice(1), ...words], { encoding: "utf8" });
const SCHEME = { dark: 0, light: 1 };
const NARROW = ["pond", "follow_ups"];
let base;

async function look(page, theme, width = 1280, names = Object.keys(VIEWS)) {
  const wrongs = watch(page, base);
  await page.setViewport({ width, height: 900 });
  for (const name of names) {
    const where = `firefox ${name} ${theme} ${width}`;
    await page.goto(base + VIEWS[name]);
    await page.screenshot({ path: path.join(shots, `firefox-${name}-${theme}-${width}.png`) });
    const dark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
    check(dark === (theme === "dark"), `${where}: it has the other theme`);
    check((await page.title()) !== "taken", `${where}: what was planted has run`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    check(!wide, `${where}: it is wider than the window`);
    wrongs(where);
  }
}

// By the keyboard, which works without JavaScript too.
async function press(page, selector) {
  const begun = await page.$(selector);
  check(begun, `firefox ${page.url()}: there is no ${selector}`);
  await page.$eval(selector, (one) => one.focus());
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
}

async function keyboard(page) {
  await page.goto(`${base}/?title=fish`);
  await page.keyboard.press("j");
  check((await here(page)).includes("Fish tank"), "firefox: j does not go to the first conversation");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("o")]);
  check(page.url() === `${base}/c/chatgpt%3Atank`, `firefox: o opens ${page.url()}`);
  await page.keyboard.press("n");
  check((await here(page)).includes("How many fish"), "firefox: n does not go to the first question");
  await page.keyboard.press("?");
  check(await page.$("dialog[open]"), "firefox: ? shows no keys");
  await page.keyboard.press("Escape");
  check(!(await page.$("dialog[open]")), "firefox: Escape does not close the keys");
  await page.keyboard.press("/");
  check(await page.evaluate(() => document.activeElement.id === "q"), "firefox: / does not lead to search");
  await page.goto(`${base}/s`);
  await page.type("#q", "plants");
  await page.waitForSelector(".found mark");
  check(page.url().endsWith("/s?q=plants"), `firefox: as one types, the address is ${page.url()}`);
}

// A form goes out with the cookie and with an Origin that webd takes.
async function forms(page) {
  await page.goto(`${base}/`);
  const paused = () => page.$(".switch.paused");
  check(!(await paused()), "firefox: all is paused already");
  await press(page, ".switch button");
  check(await paused(), "firefox: the switch pauses nothing");
  await press(page, ".switch button");
  check(!(await paused()), "firefox: the switch resumes nothing");
  await page.goto(`${base}/c/chatgpt%3Awork-10`);
  await press(page, '.turns button[value="auto"]');
  check(await page.$("h1 .tag.auto"), "firefox: the conversation is not on auto");
}

// Another origin's page sends a form.
async function elsewhere(page) {
  await page.goto(`data:text/html,<form method=post action="${base}/pause">` +
    "<input name=kind value=everything><button>x</button></form>");
  const [reply] = await Promise.all([page.waitForNavigation(), page.$eval("button", (one) => one.click())]);
  check([401, 403].includes(reply.status()), `firefox: a form of another origin: ${reply.status()}`);
  await page.goto(`${base}/j`);
  check(!(await page.$(".switch.paused")), "firefox: a forged form has paused");
}

async function withoutScript(page) {
  await page.goto(`${base}/`);
  await press(page, "a[rel=next]");
  check(page.url().includes("next="), "firefox: without JavaScript nothing is older");
  await page.type("#q", "plants");
  await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  check(page.url().includes("/s?q=plants"), "firefox: without JavaScript nothing is searched");
  await page.goto(`${base}/c/chatgpt%3Ashort-1`);
  await press(page, '.turns form[action="/pause"] button');
  check(await page.$('.turns form[action="/resume"]'), "firefox: without JavaScript the conversation is not paused");
  await press(page, '.turns form[action="/resume"] button');
  check(!(await page.$('.turns form[action="/resume"]')), "firefox: without JavaScript it is still paused");
  await page.goto(`${base}/h`);
  await press(page, "#doctor ~ form button");
  check(page.url().endsWith("/h#doctor"), `firefox: without JavaScript, doctor: ${page.url()}`);
}

// A Firefox with these settings; parts: each a function and its arguments after the page.
async function withSettings(settings, ...parts) {
  const { link } = JSON.parse(convkeep("--json", "open"));
  base = new URL(link).origin;
  await session(firefox(settings), link, (browser, page) => parts.map(([run, ...args]) => [run, page, ...args]));
}

program(async () => {
  const scheme = "layout.css.prefers-color-scheme.content-override";
  await part(withSettings, { [scheme]: SCHEME.light }, [look, "light"], [look, "light", 390, NARROW], [keyboard], [forms], [elsewhere]);
  await part(withSettings, { [scheme]: SCHEME.dark }, [look, "dark"], [look, "dark", 390, NARROW]);
  await part(withSettings, { "javascript.enabled": false }, [withoutScript]);
});

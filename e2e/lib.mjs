// The browser harness: launch Chromium, sign in, run axe, take screenshots, wait for the page's own events.
// Nothing here sleeps: every wait is for something the page does.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export const THEMES = ["light", "dark"];
export const DESKTOP = { width: 1280, height: 800 };
export const MOBILE = { width: 390, height: 844 };
const WAIT_MS = 15_000;
const FIT_MS = 3_000;
const AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Starts headless Chromium ($SHIELDWALL_CHROMIUM, else Debian's). The caller closes it. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.SHIELDWALL_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--font-render-hinting=none",
    ],
  });
}

/**
 * A fresh page that remembers what went wrong on it: `page.problems` holds uncaught errors, console errors (a broken
 * content security policy among them) and failed answers of the page's own origin.
 */
export async function openPage(browser, { theme = "light", viewport = DESKTOP, ...options } = {}) {
  const context = await browser.newContext({ colorScheme: theme, viewport, locale: "en-GB", timezoneId: "UTC", ...options });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`uncaught: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") page.problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  return page;
}

/** Follows a one-time sign-in link and waits until the signed-in frame (the top bar's user menu) is there. */
export async function signInWithLink(page, url) {
  const answer = await page.goto(url);
  if (!answer?.ok()) throw new Error(`sign-in link answered ${answer?.status()}`);
  const confirm = page.locator("[data-sign-in-confirm]");
  if (await confirm.count()) await confirm.click(); // some links ask once more, so that a mail scanner cannot use them up
  await page.locator(".topbar .menu").waitFor();
  return page;
}

/** Waits until every island on the page is drawn. */
export async function settled(page) {
  await page.waitForFunction(() =>
    [...document.querySelectorAll("[data-island]")].every(
      (e) => "failed" in e.dataset || ("ready" in e.dataset && (e.dataset.island === "live" || e.querySelector("svg,canvas"))),
    ),
  );
  await page.evaluate(() => document.fonts.ready);
}

/** Switches the theme the way a person does and waits until it holds. */
export async function setTheme(page, theme) {
  await page.evaluate((t) => {
    if (t === "auto") localStorage.removeItem("shieldwall.theme");
    else localStorage.setItem("shieldwall.theme", t);
    dispatchEvent(new StorageEvent("storage", { key: "shieldwall.theme" }));
  }, theme);
  await page.waitForFunction((t) => (document.documentElement.dataset.theme ?? "auto") === t, theme);
}

/** Runs axe over the page as it stands; throws with one readable block for each violation. */
export async function axe(page, name, { exclude = [] } = {}) {
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((a) => (a.effect?.getComputedTiming().endTime === Infinity ? null : a.finished))));
  // As a debugger's script, not a <script> element: the page's content security policy stays as it is.
  await page.evaluate(`if (!window.axe) { ${await readFile(axePath, "utf8")} }`);
  const result = await page.evaluate(
    ({ tags, exclude }) => window.axe.run({ include: [["html"]], exclude: exclude.map((e) => [e]) }, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] }),
    { tags: AXE_TAGS, exclude },
  );
  if (result.violations.length > 0) {
    const blocks = result.violations.map(
      (v) => `${v.id} (${v.impact}): ${v.help}\n` + v.nodes.slice(0, 8).map((n) => `    ${n.target.join(" ")}\n      ${n.failureSummary?.split("\n").slice(1).join("; ").trim()}`).join("\n"),
    );
    throw new Error(`axe: ${result.violations.length} violations on ${name}\n${blocks.join("\n")}`);
  }
  return result;
}

/** Where screenshots go: $SHIELDWALL_SCREENSHOTS or target/screenshots. */
export const screenshotDir = () => process.env.SHIELDWALL_SCREENSHOTS ?? join(root, "target", "screenshots");

/** Takes `<name>-<theme>.png` for each theme asked (both by default), the whole page by default; returns the files. */
export async function screenshot(page, name, { theme = THEMES, fullPage = true } = {}) {
  await mkdir(screenshotDir(), { recursive: true });
  const files = [];
  for (const t of [theme].flat()) {
    await setTheme(page, t);
    const path = join(screenshotDir(), `${name}-${t}.png`);
    await page.screenshot({ path, fullPage, animations: "disabled" });
    files.push(path);
  }
  await setTheme(page, "auto");
  return files;
}

/**
 * Listens for the page's next DOM event `type` on <body>, such as "sw:warning". Await it before the cause; it gives a
 * function that resolves with the event's detail: `const heard = await listen(page, "sw:warning"); cause(); await heard()`.
 */
export async function listen(page, type) {
  const handle = await page.evaluateHandle(
    ({ type, ms }) => {
      const heard = new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${type} within ${ms} ms`)), ms);
        document.body.addEventListener(type, (e) => (clearTimeout(timer), resolve(e.detail ?? null)), { once: true });
      });
      heard.catch(() => undefined); // reported to whoever asks
      return { heard };
    },
    { type, ms: WAIT_MS },
  );
  return () => handle.evaluate(({ heard }) => heard);
}

/** Waits until the live stream says it is in `state`: connecting, open or closed. */
export const waitForLive = (page, state = "open") => page.locator(`[data-live-state="${state}"]`).first().waitFor({ state: "attached" });

/** Waits until `text` can be seen in `selector`. */
export const waitForText = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

/** Throws when anything went wrong on the page since it was opened (or since the last call). */
export function assertClean(page, name, { except = [] } = {}) {
  const problems = page.problems.splice(0).filter((p) => !except.some((e) => e.test(p)));
  if (problems.length > 0) throw new Error(`${name}:\n  ${problems.join("\n  ")}`);
}

/** Throws when the page is wider than its window (content cut off on a phone) once the drawings have taken their new size. */
export async function assertFits(page, name) {
  const fits = () => document.documentElement.scrollWidth <= document.documentElement.clientWidth;
  await page.waitForFunction(fits, null, { timeout: FIT_MS }).catch(() => undefined);
  const [inner, scroll] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  if (scroll > inner) throw new Error(`${name} is ${scroll} px wide in a window of ${inner} px`);
}

/** Axe in both themes on a desk and on a phone, screenshots, no sideways scroll on the phone, nothing wrong on the console. */
export async function check(page, name) {
  for (const [viewport, suffix] of [[DESKTOP, ""], [MOBILE, "-phone"]]) {
    await page.setViewportSize(viewport);
    await settled(page);
    for (const theme of THEMES) {
      await setTheme(page, theme);
      await axe(page, `${name}${suffix}, ${theme}`);
    }
    if (viewport === MOBILE) await assertFits(page, name);
    await screenshot(page, `${name}${suffix}`, viewport === MOBILE ? { theme: ["light"] } : {});
  }
  await page.setViewportSize(DESKTOP);
  assertClean(page, name);
}

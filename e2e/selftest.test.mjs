// Proves the harness and the design system: the style guide is axe clean in both themes and breaks no rule of the
// content security policy, each island draws, the stream reaches the page, and axe fails where a page is broken.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertClean, assertFits, axe, launch, listen, MOBILE, openPage, screenshot, setTheme, settled, THEMES, waitForLive } from "./lib.mjs";
import { serve } from "./static.mjs";

const BROKEN = `<!doctype html><html lang="en"><head><title>Broken</title></head>
<body><main><h1>Broken</h1><img src="/dist/missing.svg"><input><button></button></main></body></html>`;

let browser, site;
before(async () => {
  site = await serve({ "/broken.html": BROKEN });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await site?.close();
});

const guide = async (options) => {
  const page = await openPage(browser, options);
  await page.goto(`${site.url}/styleguide.html`);
  await waitForLive(page);
  await settled(page);
  return page;
};

test("the style guide is axe clean, fits, and breaks no policy in both themes and widths", async () => {
  for (const [size, viewport] of [["desktop", undefined], ["mobile", MOBILE]]) {
    const page = await guide(viewport ? { viewport } : {});
    for (const theme of THEMES) {
      await setTheme(page, theme);
      await axe(page, `style guide, ${theme}, ${size}`);
    }
    await assertFits(page, `style guide, ${size}`);
    await screenshot(page, `styleguide-${size}`);
    await page.locator(".menu summary").click();
    await axe(page, `user menu, ${size}`);
    await page.locator("[data-dialog-open=revoke]").click();
    await page.locator("dialog[open]").waitFor();
    await axe(page, `dialog, ${size}`);
    assertClean(page, `style guide, ${size}`);
    await page.context().close();
  }
});

test("the sign-in page is axe clean and fits in both themes", async () => {
  const page = await openPage(browser, { viewport: MOBILE });
  await page.goto(`${site.url}/styleguide/signin.html`);
  for (const theme of THEMES) {
    await setTheme(page, theme);
    await axe(page, `sign-in, ${theme}`);
  }
  await assertFits(page, "sign-in");
  await screenshot(page, "styleguide-signin");
  assertClean(page, "sign-in");
  await page.context().close();
});

test("the islands draw what they were given", async () => {
  const page = await guide();
  assert.equal(await page.locator("#map .map-country").count(), 12);
  assert.equal(await page.locator("#map .state-hit").count(), 2);
  assert.match(await page.locator('[data-country="LU"]').getAttribute("aria-label"), /^Luxembourg: warned\. National centre, Bank centre/);
  assert.equal(await page.locator('[data-country="MT"] circle').count(), 1, "a country without an outline gets a dot");
  assert.equal(await page.locator("#map .map-arc").count(), 9, "two hit, four warned: eight arcs, and one between the two");
  assert.ok((await page.locator("#graph canvas").count()) > 0);
  assert.equal(await page.locator("#chart canvas").count(), 1);
  await page.locator('[data-map-fit="europe"]').click();
  assert.equal(await page.locator('[data-map-fit="europe"]').getAttribute("aria-pressed"), "true");
  await page.locator('#map [tabindex="0"]').focus();
  const first = await page.evaluate(() => document.activeElement.dataset.country);
  await page.keyboard.press("ArrowRight");
  assert.notEqual(await page.evaluate(() => document.activeElement.dataset.country), first);
  assert.equal(await page.locator("#map .map-tip").isVisible(), true);
  assertClean(page, "islands");
  await page.context().close();
});

test("a server-sent event becomes a DOM event, refreshes the map and is announced", async () => {
  const page = await guide();
  const before = site.seen.fetched.filter((p) => p.endsWith("map.json")).length;
  const heard = await listen(page, "sw:warning");
  const refreshed = page.waitForResponse((r) => r.url().endsWith("map.json"));
  site.send("warning", { id: "w9", title: "Dropper seen by 3 members" }, "e1");
  assert.deepEqual(await heard(), { id: "w9", title: "Dropper seen by 3 members" });
  await refreshed;
  assert.equal(site.seen.fetched.filter((p) => p.endsWith("map.json")).length, before + 1);
  await page.locator("[data-live-announce]", { hasText: "New warning: Dropper seen by 3 members" }).waitFor({ state: "attached" });

  // A burst: one refresh or two, and one after the last event.
  await page.evaluate(() => {
    window.heard = [];
    for (const type of ["sw:warning", "sw:refresh-warning"]) document.body.addEventListener(type, () => window.heard.push(type));
  });
  for (let i = 0; i < 20; i++) site.send("warning", { id: `b${i}` });
  await page.waitForFunction(() => window.heard.filter((t) => t === "sw:warning").length === 20 && window.heard.at(-1) === "sw:refresh-warning");
  assert.ok((await page.evaluate(() => window.heard.filter((t) => t === "sw:refresh-warning").length)) <= 3);

  // Cut: the browser itself comes back with the last id it saw.
  const again = page.waitForRequest((r) => r.url().endsWith("/stream"));
  site.cut();
  await again;
  await waitForLive(page, "open");
  assert.equal(site.seen.lastEventIds.at(-1), "e1");

  // Refused: said, tried anew, and then everything is fetched afresh.
  site.cut(503);
  await waitForLive(page, "closed");
  const resync = await listen(page, "sw:resync");
  site.cut(200);
  await resync();
  await waitForLive(page, "open");
  assertClean(page, "stream", { except: [/stream/] });
  await page.context().close();
});

test("the theme is remembered and set before the page is painted", async () => {
  const page = await guide({ theme: "light" });
  await page.locator(".menu summary").click();
  await page.locator('[data-theme-set="dark"]').click();
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.goto(`${site.url}/styleguide.html`, { waitUntil: "commit" });
  await page.waitForFunction(() => document.body !== null);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await settled(page);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), dark);
  await page.locator(".menu summary").click();
  await page.locator('[data-theme-set="auto"]').click();
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), dark);
  await page.context().close();
});

test("axe fails on a broken page and says what is broken", async () => {
  const page = await openPage(browser);
  await page.goto(`${site.url}/broken.html`);
  await assert.rejects(axe(page, "broken page"), (error) => {
    for (const rule of ["image-alt", "label", "button-name"]) assert.match(error.message, new RegExp(`^${rule} `, "m"));
    return true;
  });
  await page.context().close();
});

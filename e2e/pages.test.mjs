// The hub's pages in a real browser: first run, signing in, a warning that arrives live, acknowledging it, French, and
// axe over every page in both themes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { api, shieldwall, startDemo, startHub } from "./hub.mjs";
import { MOBILE, THEMES, assertClean, assertFits, axe, launch, listen, openPage, screenshot, setTheme, settled, signInWithLink, waitForLive, waitForText } from "./lib.mjs";

const PASSWORD = "four unrelated quiet words";
let browser;
before(async () => (browser = await launch()));
after(() => browser?.close());

describe("a hub from its first run", () => {
  let hub;
  let page;
  before(async () => {
    hub = await startHub();
    page = await openPage(browser);
  });
  after(() => hub?.stop());

  test("the first-run link makes the first member and its operator, once", async () => {
    await page.goto(hub.setup);
    await axe(page, "setup");
    await screenshot(page, "setup");
    await page.fill('[name="member"]', "Luxembourg");
    await page.fill('[name="country"]', "LU");
    await page.fill('[name="name"]', "duty");
    await page.fill('[name="password"]', PASSWORD);
    await page.fill('[name="again"]', PASSWORD);
    await page.click('main button[type="submit"]');
    await page.waitForURL("**/members");
    await waitForText(page, "main", "Luxembourg");
    assertClean(page, "first run");
    const again = await openPage(browser);
    const answer = await again.goto(hub.setup);
    assert.notEqual(answer.status(), 200, "the link is used up");
    await again.context().close();
  });

  test("a warning arrives on an open page without reload, and is acknowledged there", async () => {
    const token = (member, role) => shieldwall("token", "create", "--data", hub.data, "--member", member, "--role", role);
    const [estonia, spain] = [await token("EE", "analyst"), await token("ES", "sensor")];
    await api(hub.url, estonia, "/api/v1/objects?role=kill-switch&name=A%20stop%20switch", { method: "POST", body: "switch.example\n" });
    const { changes } = await api(hub.url, spain, "/api/v1/watchlist");
    const sighting = { ...changes[0], first_seen: new Date().toISOString(), last_seen: new Date().toISOString(), count: 3, kind: "domain-name", field: "dns.rrname", value: "withheld", detected: new Date().toISOString() };
    const analyst = await openPage(browser);
    await signInByPassword(analyst, hub, "analyst.ee", "EE");

    await analyst.goto(`${hub.url}/warnings`);
    await waitForLive(analyst);
    assert.equal(await analyst.locator(".warning").count(), 0);
    await analyst.evaluate(() => (window.sameDocument = true));
    const heard = await listen(analyst, "sw:warning");
    await api(hub.url, spain, "/api/v1/sightings", { method: "POST", headers: { "idempotency-key": randomUUID() }, body: { sightings: [sighting] } });
    const told = await heard();
    assert.equal(told.role, "kill-switch");
    assert.equal(told.advice.blocking, "do-not-block");
    await waitForText(analyst, ".warning", "A stop switch");
    await waitForText(analyst, ".warning", "Do not block");
    assert.equal(await analyst.evaluate(() => window.sameDocument), true, "the page was not loaded again");

    await analyst.locator(".warning form button").click();
    await analyst.locator(".warning.is-acknowledged").waitFor();
    assert.equal(await analyst.evaluate(() => window.sameDocument), true);
    const { warnings } = await api(hub.url, estonia, "/api/v1/warnings");
    assert.ok(warnings[0].mine.by_person, "the ledger knows that a person took note");
    assertClean(analyst, "warnings");
    await analyst.context().close();
  });

  test("French is one click away, stays, and signing out ends the session", async () => {
    await page.goto(`${hub.url}/`);
    await page.locator(".topbar .menu summary").click();
    await page.locator('.menu-panel a[hreflang="fr"]').click();
    await page.waitForFunction(() => document.documentElement.lang === "fr");
    await waitForText(page, ".nav", "Alertes");
    await page.goto(`${hub.url}/warnings`);
    assert.equal(await page.evaluate(() => document.documentElement.lang), "fr");
    await axe(page, "warnings in French");
    await screenshot(page, "warnings-fr");
    await page.locator(".topbar .menu summary").click();
    await page.locator('.menu-panel form[action="/sign-out"] button').click();
    await page.waitForURL("**/sign-in*");
    await page.goto(`${hub.url}/warnings`);
    await page.waitForURL("**/sign-in?next=*");
    assertClean(page, "French");
  });

  async function signInByPassword(page, hub, name, member) {
    const operator = await shieldwall("token", "create", "--data", hub.data, "--member", "Luxembourg", "--role", "operator");
    await api(hub.url, operator, "/api/v1/users", { method: "POST", body: { name, member, role: "analyst", password: PASSWORD } });
    await page.goto(`${hub.url}/sign-in`);
    await page.fill('[name="name"]', name);
    await page.fill('[name="password"]', "not the password at all");
    await page.click('main button[type="submit"]');
    await page.locator('[role="alert"]').waitFor();
    page.problems.length = 0; // the browser reports the refusal, which was asked for
    await axe(page, "sign-in refused");
    await page.fill('[name="password"]', PASSWORD);
    await page.click('main button[type="submit"]');
    await page.locator(".topbar .menu").waitFor();
  }
});

describe("every page of a busy alliance", () => {
  let demo;
  const link = (role) => demo.links.find((link) => link.role === role).url;
  before(async () => (demo = await startDemo(12)));
  after(() => demo?.stop());

  /** Axe in both themes, screenshots, no sideways scroll on a phone, nothing wrong on the console. */
  async function check(page, name) {
    await settled(page);
    for (const theme of THEMES) {
      await setTheme(page, theme);
      await axe(page, `${name}, ${theme}`);
    }
    await screenshot(page, name);
    await page.setViewportSize(MOBILE);
    await assertFits(page, name);
    await screenshot(page, `${name}-phone`, { theme: ["light"] });
    await page.setViewportSize({ width: 1280, height: 800 });
    assertClean(page, name);
  }

  test("an analyst's pages", { timeout: 240_000 }, async () => {
    const page = await openPage(browser);
    await signInWithLink(page, link("analyst"));
    await waitForLive(page);
    await page.locator(".warning").first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".feed li").length >= 3);
    await check(page, "picture");
    await page.goto(`${demo.url}/warnings`);
    await page.locator(".warning").nth(1).waitFor();
    await check(page, "warnings");
    await page.goto(new URL(await page.locator(".warning-title a").first().getAttribute("href"), demo.url).href);
    await check(page, "warning");
    await page.goto(`${demo.url}/intelligence?text=exe`);
    await page.locator("tbody tr").first().waitFor();
    await check(page, "intelligence");
    await page.goto(`${demo.url}/intelligence?type=malware`);
    await page.locator("tbody a").first().click();
    await page.locator('[data-island="graph"]').waitFor();
    await check(page, "object");
    for (const [path, name] of [["/intelligence?text=nothing-is-called-so", "intelligence-empty"], ["/intelligence/sources", "sources"], ["/sensors", "sensors"], ["/members", "members"], ["/ledger", "ledger"]]) {
      await page.goto(demo.url + path);
      await check(page, name);
    }
    const missing = await page.goto(`${demo.url}/warnings/warning--00000000-0000-4000-8000-000000000000`);
    assert.equal(missing.status(), 404);
    page.problems.length = 0;
    await check(page, "problem");
    await page.context().close();
  });

  test("an operator's pages", { timeout: 120_000 }, async () => {
    const page = await openPage(browser);
    await signInWithLink(page, link("operator"));
    for (const [path, name] of [["/tokens", "tokens"], ["/people", "people"], ["/intelligence/peers", "peers"], ["/members", "members-operator"], ["/sensors", "sensors-operator"]]) {
      await page.goto(demo.url + path);
      await check(page, name);
    }
    await page.context().close();
  });

  test("a used link says so", async () => {
    const page = await openPage(browser);
    const answer = await page.goto(link("analyst"));
    assert.notEqual(answer.status(), 200);
    page.problems.length = 0;
    await check(page, "link-used");
    await page.context().close();
  });

  test("pages work without a script, but for the drawings", { timeout: 60_000 }, async () => {
    const page = await openPage(browser, { javaScriptEnabled: false });
    await page.goto(link("duty officer"));
    await page.goto(`${demo.url}/warnings`);
    while ((await page.locator(".warning form button").count()) === 0) await page.reload(); // nothing refreshes it by itself
    await page.locator(".warning form button").last().click();
    await waitForText(page, ".badge", "Acknowledged");
    await page.context().close();
  });
});

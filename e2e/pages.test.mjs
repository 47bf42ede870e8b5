// The hub's pages in a real browser: first run, signing in, a warning that arrives live, acknowledging it, French, and
// axe over every page in both themes.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { api, shieldwall, startDemo, startHub } from "./hub.mjs";
import { assertClean, axe, check, launch, listen, openPage, screenshot, signInWithLink, waitForLive, waitForText } from "./lib.mjs";
import { WALK } from "./walk.mjs";

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

  for (const role of new Set(WALK.map((stop) => stop.as))) {
    test(`the pages of the role ${role}`, { timeout: 600_000 }, async () => {
      const page = await openPage(browser);
      await signInWithLink(page, link(role));
      for (const stop of WALK.filter((stop) => stop.as === role)) {
        const answer = await page.goto(demo.url + stop.path);
        await stop.ready?.(page);
        if ((stop.status ?? 200) !== 200) {
          assert.equal(answer.status(), stop.status, stop.name);
          page.problems.length = 0; // the browser's own word about the status
        }
        await check(page, stop.name);
      }
      await page.context().close();
    });
  }

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

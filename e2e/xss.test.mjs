// A few of the payloads of xss.mjs, and a control: without the hub's escaping and policy the same payloads do run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "./lib.mjs";
import { PAYLOADS, campaign } from "./xss.mjs";

test("script smuggled into any text neither runs nor asks to", { timeout: 300_000 }, async () => {
  const some = PAYLOADS.filter((_, n) => n % 25 === 2);
  assert.deepEqual(await campaign(some), []);
});

test("there are two hundred payloads, and they run where nobody escapes them", async () => {
  assert.equal(new Set(PAYLOADS).size, 200);
  const browser = await launch();
  const page = await browser.newPage();
  let dialogs = 0;
  page.on("dialog", (dialog) => (dialogs++, dialog.dismiss()));
  for (const payload of PAYLOADS.slice(0, 5)) await page.setContent(`<p>${payload}</p>`);
  assert.ok(dialogs + Number(await page.evaluate(() => window.ran ?? 0)) > 0, "the control fails, as it must");
  await browser.close();
});

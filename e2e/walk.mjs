// Every page axe walks, over a demo that has been played: one row a page. `as` is the role that opens it, `ready` does
// and waits for what must be there first, `status` is the answer where it is not 200.
import { waitForLive } from "./lib.mjs";

const here = (selector) => (page) => page.locator(selector).first().waitFor();

export const WALK = [
  { as: "analyst", name: "picture", path: "/", ready: async (page) => {
    await waitForLive(page);
    await page.locator(".warning").first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll(".feed li").length >= 3);
  } },
  { as: "analyst", name: "warnings", path: "/warnings", ready: (page) => page.locator(".warning").nth(1).waitFor() },
  { as: "analyst", name: "warning", path: "/warnings", ready: follow(".warning-title a") },
  { as: "analyst", name: "intelligence", path: "/intelligence?text=exe", ready: here("tbody tr") },
  { as: "analyst", name: "intelligence-empty", path: "/intelligence?text=nothing-is-called-so" },
  { as: "analyst", name: "object", path: "/intelligence?type=malware", ready: follow("tbody a", '[data-island="graph"]') },
  { as: "analyst", name: "versions", path: "/intelligence?type=malware", ready: async (page) => {
    await follow("tbody a")(page);
    await follow('a[href$="/versions"]', ".timeline")(page);
  } },
  { as: "analyst", name: "graph", path: "/intelligence?type=malware", ready: async (page) => {
    await follow("tbody a")(page);
    await follow('a[href^="/intelligence/graph"].btn', '[data-island="explorer"][data-nodes]')(page);
  } },
  { as: "analyst", name: "graph-start", path: "/intelligence/graph" },
  { as: "analyst", name: "matrix", path: "/intelligence/matrix" },
  { as: "analyst", name: "import", path: "/intelligence/import" },
  { as: "analyst", name: "sources", path: "/intelligence/sources" },
  { as: "analyst", name: "held", path: "/intelligence/held" },
  { as: "analyst", name: "feeds", path: "/intelligence/feeds" },
  { as: "analyst", name: "sensors", path: "/sensors" },
  { as: "analyst", name: "members", path: "/members" },
  { as: "analyst", name: "ledger", path: "/ledger" },
  { as: "analyst", name: "problem", path: "/warnings/warning--00000000-0000-4000-8000-000000000000", status: 404 },
  { as: "operator", name: "tokens", path: "/tokens" },
  { as: "operator", name: "people", path: "/people" },
  { as: "operator", name: "peers", path: "/intelligence/peers" },
  { as: "operator", name: "members-operator", path: "/members" },
  { as: "operator", name: "sensors-operator", path: "/sensors" },
];

/** Goes where the first such link leads, and waits for something there. */
function follow(link, there = "main h1") {
  return async (page) => {
    const href = await page.locator(link).first().getAttribute("href");
    await page.goto(new URL(href, page.url()).href);
    await page.locator(there).first().waitFor();
  };
}

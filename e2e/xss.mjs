// Script smuggled into every text field there is, over every page (S6): nothing runs, and nothing even asks to, for the
// content security policy would report it. `npm run xss` sends all payloads, the suite a few of each kind.
import { bundle, indicator, object, relationship, sample } from "./attack.mjs";
import { api, shieldwall, startHub } from "./hub.mjs";
import { launch, openPage, settled } from "./lib.mjs";

const PASSWORD = "four unrelated quiet words";
const CALLS = ["alert(1)", "alert`1`", "window.ran=1", "top['al'+'ert'](1)", "eval('ale'+'rt(1)')"];
const SHAPES = [
  (js) => `<script>${js}</script>`,
  (js) => `"><script>${js}</script>`,
  (js) => `'><img src=x onerror=${js}>`,
  (js) => `<svg/onload=${js}>`,
  (js) => `</textarea><script>${js}</script>`,
  (js) => `</title><svg onload=${js}>`,
  (js) => `</script><script>${js}</script>`,
  (js) => `<details open ontoggle=${js}>`,
  (js) => `" autofocus onfocus=${js} x="`,
  (js) => `' onmouseover=${js} x='`,
  (js) => `<iframe srcdoc="<script>parent.${js}</script>">`,
  (js) => `<a href="javascript:${js}">x</a>`,
  (js) => `javascript:${js}//`,
  (js) => `<math><mtext></mtext><style><img src onerror=${js}></style></math>`,
  (js) => `<!--<img src="--><img src=x onerror=${js}//">`,
  (js) => `{{constructor.constructor('${js}')()}}`,
  (js) => `\${${js}}`,
  (js) => `<img src=x hx-get=/ hx-trigger=load hx-on::after-request=${js}>`,
  (js) => `<div data-island="graph" data-src="javascript:${js}">`,
  (js) => `<base href="javascript:${js}//">`,
  (js) => `<link rel=stylesheet href="data:text/css,*{x:${js}}">`,
  (js) => `<style>@import 'javascript:${js}';</style>`,
  (js) => `<form action="javascript:${js}"><button>x`,
  (js) => `<object data="data:text/html,<script>${js}</script>">`,
  (js) => `<embed src="javascript:${js}">`,
  (js) => `<meta http-equiv=refresh content="0;url=javascript:${js}">`,
  (js) => `<body onpageshow=${js}>`,
  (js) => `<input type=image src=x onerror=${js}>`,
  (js) => `<video><source onerror=${js}>`,
  (js) => `<marquee onstart=${js}>`,
  (js) => `<svg><script href="data:,${js}"></script>`,
  (js) => `<svg><use href="data:image/svg+xml,<svg id='x' onload='${js}'/>#x">`,
  (js) => `<svg><animate onbegin=${js} attributeName=x>`,
  (js) => `\u003cimg src=x onerror=${js}\u003e`,
  (js) => `&lt;img src=x onerror=${js}&gt;`,
  (js) => `%3Cimg src=x onerror=${js}%3E`,
  (js) => `<IMG SRC=x ONERROR=${js}>`,
  (js) => `<img\nsrc=x\nonerror=${js}>`,
  (js) => `<p hidden hx-vals='js:{x:${js}}'>`,
  (js) => `\ue000<b onclick=${js}>\ue001`,
];

/** Every payload: each shape with each call, the call's place in it rotating. */
export const PAYLOADS = SHAPES.flatMap((shape) => CALLS.map(shape));

/**
 * Puts each payload into every field that takes a text and opens every page that shows one. Gives what went wrong:
 * script that ran, dialogs, and reports of the content security policy, each with its page.
 */
export async function campaign(payloads, { tell = () => undefined } = {}) {
  const hub = await startHub();
  const browser = await launch();
  const wrong = [];
  try {
    const page = await openPage(browser);
    let at = "";
    await page.addInitScript(() => {
      window.broken = [];
      addEventListener("securitypolicyviolation", (event) => window.broken.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
    });
    page.on("dialog", (dialog) => (wrong.push(`${at}: a dialog, ${dialog.message()}`), dialog.dismiss()));
    const look = async (path, name = path) => {
      at = name;
      await page.goto(hub.url + path);
      await seen();
    };
    const seen = async () => {
      await settled(page);
      const [ran, broken] = await page.evaluate(() => [window.ran, window.broken]);
      if (ran !== undefined) wrong.push(`${at}: script ran`);
      for (const one of broken) wrong.push(`${at}: policy, ${one}`);
      for (const one of page.problems.splice(0)) if (/Content Security Policy|uncaught/.test(one)) wrong.push(`${at}: ${one}`);
    };
    await page.goto(hub.setup);
    for (const [name, value] of [["member", payloads[0].slice(0, 60)], ["country", "LU"], ["name", "duty"], ["password", PASSWORD], ["again", PASSWORD]]) await page.fill(`[name="${name}"]`, value);
    await page.click('main button[type="submit"]');
    await page.waitForURL("**/members");
    const token = (role) => shieldwall("token", "create", "--data", hub.data, "--member", "LU", "--role", role);
    const [operator, analyst, sensor] = [await token("operator"), await token("analyst"), await token("sensor")];
    const post = (who, path, body) => api(hub.url, who, path, { method: "POST", body });
    const refused = (error) => tell(`refused at the door: ${error.message.slice(0, 120)}`);
    for (const text of payloads) await post(operator, "/api/v1/members", { name: text.slice(0, 100), kind: "partner", sectors: [text.slice(0, 60)] }).catch(refused);
    for (const text of payloads.slice(0, 20)) {
      await post(operator, "/api/v1/groups", { name: text.slice(0, 100), ceiling: "AMBER", names: "shown", members: ["LU"] }).catch(refused);
      await post(operator, "/api/v1/tokens", { label: text.slice(0, 100), member: "LU", role: "observer" }).catch(refused);
      await post(operator, "/api/v1/users", { name: text.slice(0, 60), member: "LU", role: "observer", password: PASSWORD }).catch(refused);
    }
    // The matrix, with script in its names too.
    const attack = sample();
    for (const one of attack.objects) if (one.name) one.name += payloads[1 % payloads.length];
    await post(analyst, "/api/v1/objects", bundle(attack.objects));
    const ids = [];
    for (const [n, text] of payloads.entries()) {
      const all = { description: text, labels: [text], external_references: [{ source_name: text, external_id: text, description: text, url: `https://x.example/?${encodeURIComponent(text)}` }] };
      const malware = object("malware", `xss ${n}`, { ...all, name: text, aliases: [text], is_family: true, x_custom: text, malware_types: [text] });
      const later = { ...malware, modified: "2026-02-01T00:00:00.000Z", description: `${text} ${text}`, aliases: [`${text}!`] };
      const sign = indicator(`xss-${n}.example`, { ...all, name: text });
      const note = object("note", `xss ${n}`, { ...all, abstract: text, content: text, authors: [text], object_refs: [malware.id] });
      delete note.name;
      ids.push(malware.id);
      await post(analyst, "/api/v1/objects", bundle([malware, sign, note, { ...relationship(sign, "indicates", malware), description: text }]));
      await post(analyst, "/api/v1/objects", bundle([later]));
      await api(hub.url, analyst, `/api/v1/objects?name=${encodeURIComponent(text.slice(0, 150))}`, { method: "POST", body: `xss-list-${n}.example\n` });
    }
    // Some are seen, so that warnings, the picture and the feed speak of them; some are taken back.
    const { changes } = await api(hub.url, sensor, "/api/v1/watchlist?limit=1000");
    const now = new Date().toISOString();
    const sightings = changes.slice(0, 40).map((one, n) => ({ ...one, first_seen: now, last_seen: now, count: 1, kind: "domain-name", field: payloads[n % payloads.length].slice(0, 100), value: payloads[n % payloads.length].slice(0, 100), detected: now }));
    await api(hub.url, sensor, "/api/v1/sightings", { method: "POST", headers: { "idempotency-key": "xss" }, body: { sightings } }).catch(refused);
    await post(sensor, "/api/v1/sensors/health", { name: payloads[0].slice(0, 100), version: payloads[0].slice(0, 30), events: 1, bytes: 1, matches: 0 }).catch(refused);
    const group = (await api(hub.url, analyst, "/api/v1/groups")).groups?.[0]?.id;
    if (group && ids.length > 2) await post(analyst, `/api/v1/objects/${ids[1]}/recall`, { group, reason: payloads[0] }).catch(refused);

    const operatorPages = ["/", "/warnings?show=all", "/intelligence", "/intelligence/graph", "/intelligence/matrix", "/intelligence/held", "/intelligence/import", "/sensors", "/members", "/people", "/tokens", "/ledger"];
    for (const path of operatorPages) await look(path);
    await post(operator, "/api/v1/users", { name: "analyst.xss", member: "LU", role: "analyst", password: PASSWORD });
    await page.context().clearCookies();
    await page.goto(`${hub.url}/sign-in`);
    await page.fill('[name="name"]', "analyst.xss");
    await page.fill('[name="password"]', PASSWORD);
    await page.click('main button[type="submit"]');
    await page.locator(".topbar .menu").waitFor();
    for (const path of operatorPages.filter((path) => !/people|tokens/.test(path))) await look(path);
    const { warnings } = await api(hub.url, analyst, "/api/v1/warnings?limit=40");
    for (const warning of warnings) await look(`/warnings/${warning.id}`);
    for (const [n, id] of ids.entries()) {
      const text = payloads[n];
      for (const path of [`/intelligence/${id}`, `/intelligence/${id}/versions`, `/intelligence/graph?id=${id}`, `/intelligence?text=${encodeURIComponent(text)}`, `/${encodeURIComponent(text)}`]) await look(path, `${path.slice(0, 80)} (payload ${n}, ${text})`);
      at = `sharing step by step (payload ${n}, ${text})`;
      await page.goto(`${hub.url}/intelligence/import`);
      await page.fill("#content", `${text}\nwizard-${n}.example\n`);
      await page.locator('main button[type="submit"]').click();
      await seen();
      tell(`${n + 1} of ${ids.length}: ${wrong.length} wrong`);
    }
  } finally {
    await browser.close();
    await hub.stop();
  }
  return wrong;
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const wrong = await campaign(PAYLOADS, { tell: (line) => console.error(line) });
  console.log(`${PAYLOADS.length} payloads: ${wrong.length} executed or reported`);
  for (const one of wrong) console.log(one);
  process.exit(wrong.length > 0 ? 1 : 0);
}

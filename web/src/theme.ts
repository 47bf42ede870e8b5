// Light, dark or the system's choice. Runs in <head> before the first paint, so that nothing flashes.
const KEY = "shieldwall.theme";
const root = document.documentElement;
root.dataset["js"] = "";

const read = (): string => {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto"; // storage may be forbidden; the system's choice is then right
  }
};

const apply = (theme: string): void => {
  if (theme === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset["themeSet"] === theme));
  }
  root.dispatchEvent(new CustomEvent("sw:theme", { detail: theme }));
};

apply(read());
document.addEventListener("DOMContentLoaded", () => apply(read()));
document.addEventListener("click", (event) => {
  const theme = (event.target as Element | null)?.closest<HTMLElement>("[data-theme-set]")?.dataset["themeSet"];
  if (theme === undefined) return;
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // not remembered, still applied
  }
  apply(theme);
});
// Another tab changed it.
addEventListener("storage", (event) => {
  if (event.key === KEY) apply(read());
});

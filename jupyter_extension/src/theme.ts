/** Which of the host's colours are meant: light, dark or high contrast. */

export type Theme = "light" | "dark" | "contrast-light" | "contrast-dark";
export type Host = "jupyter" | "vscode" | "page";

export interface Look {
  theme: Theme;
  host: Host;
}

/** How the page looks now. */
export function lookNow(): Look {
  const { body } = document;
  const host: Host = body.className.includes("vscode-")
    ? "vscode"
    : body.dataset.jpThemeLight !== undefined
      ? "jupyter"
      : "page";
  const contrast =
    body.classList.contains("vscode-high-contrast") ||
    !!body.dataset.jpThemeName?.includes("High Contrast") ||
    prefers("(prefers-contrast: more)");
  return { theme: contrast ? (isDark() ? "contrast-dark" : "contrast-light") : isDark() ? "dark" : "light", host };
}

function isDark(): boolean {
  const { body } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "false";
  if (body.classList.contains("vscode-light") || body.classList.contains("vscode-high-contrast-light")) return false;
  if (/\bvscode-(dark|high-contrast)\b/.test(body.className)) return true;
  return !!prefers("(prefers-color-scheme: dark)");
}

function prefers(query: string): boolean {
  return globalThis.matchMedia?.(query).matches ?? false;
}

/** Calls back whenever the page's look may have changed; returns what ends it. */
export function watchLook(seen: (look: Look) => void): () => void {
  const look = () => seen(lookNow());
  const observer = new MutationObserver(look);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-jp-theme-light", "data-jp-theme-name"] });
  const queries = ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]
    .map((query) => globalThis.matchMedia?.(query))
    .filter((query) => !!query);
  for (const query of queries) query.addEventListener("change", look);
  return () => {
    observer.disconnect();
    for (const query of queries) query.removeEventListener("change", look);
  };
}

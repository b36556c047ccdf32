/** What JupyterLab and VS Code set on their pages, for looking at the chat without them. */

export type HostTheme = "light" | "dark" | "contrast-light" | "contrast-dark";

const LAB = {
  light: {
    "--jp-layout-color0": "#fff",
    "--jp-layout-color1": "#fff",
    "--jp-ui-font-color0": "#000",
    "--jp-brand-color0": "#0d47a1",
    "--jp-brand-color1": "#1976d2",
    "--jp-mirror-editor-keyword-color": "#008000",
    "--jp-mirror-editor-string-color": "#ba2121",
    "--jp-mirror-editor-number-color": "#080",
    "--jp-mirror-editor-def-color": "#00f",
    "--jp-mirror-editor-comment-color": "#408080",
  },
  dark: {
    "--jp-layout-color0": "#111",
    "--jp-layout-color1": "#212121",
    "--jp-ui-font-color0": "#fff",
    "--jp-brand-color0": "#1976d2",
    "--jp-brand-color1": "#2196f3",
    "--jp-mirror-editor-keyword-color": "#4caf50",
    "--jp-mirror-editor-string-color": "#ff7070",
    "--jp-mirror-editor-number-color": "#66bb6a",
    "--jp-mirror-editor-def-color": "#2196f3",
    "--jp-mirror-editor-comment-color": "#408080",
  },
};

/** Makes this page look like JupyterLab (or VS Code, for the contrast themes). */
export function dressPage(theme: HostTheme): void {
  const dark = theme.endsWith("dark");
  const { body, documentElement } = document;
  const style = documentElement.style;
  documentElement.style.colorScheme = dark ? "dark" : "light";
  if (theme.startsWith("contrast")) {
    body.classList.add(dark ? "vscode-high-contrast" : "vscode-high-contrast-light");
    if (!dark) body.classList.add("vscode-high-contrast");
    style.setProperty("--vscode-foreground", dark ? "#fff" : "#292929");
    style.setProperty("--vscode-editor-background", dark ? "#000" : "#fff");
    style.setProperty("--vscode-focusBorder", dark ? "#f38518" : "#006bbd");
    style.setProperty("--vscode-button-background", dark ? "#000" : "#0f4a85");
    style.setProperty("--vscode-button-foreground", "#fff");
    style.setProperty("--jp-layout-color0", dark ? "#000" : "#fff");
    return;
  }
  body.dataset.jpThemeLight = String(!dark);
  for (const [name, value] of Object.entries(LAB[dark ? "dark" : "light"])) style.setProperty(name, value);
  style.setProperty("--jp-ui-font-family", "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif");
  style.setProperty("--jp-code-font-family", "Menlo, Consolas, 'DejaVu Sans Mono', monospace");
}

/** Colours for code, in the languages that notebooks see most. */
import core from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import julia from "highlight.js/lib/languages/julia";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const LANGUAGES = { bash, css, diff, javascript, json, julia, markdown, python, r, sql, xml, yaml };
for (const [name, grammar] of Object.entries(LANGUAGES)) core.registerLanguage(name, grammar);
core.registerAliases(["ts", "tsx", "typescript"], { languageName: "javascript" });
core.registerAliases(["ipython", "python3", "ipython3"], { languageName: "python" });
core.registerAliases(["console", "shell", "sh", "zsh"], { languageName: "bash" });

/** Beyond this many characters code stays plain: colouring it takes longer than a frame. */
const MOST = 40_000;

/** The code as HTML with coloured parts, all text escaped; null where there are no colours for it. */
export function coloured(code: string, language: string): string | null {
  if (code.length > MOST || !core.getLanguage(language)) return null;
  return core.highlight(code, { language, ignoreIllegals: true }).value;
}

/** The code as HTML without colours. */
export function plain(code: string): string {
  return code.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

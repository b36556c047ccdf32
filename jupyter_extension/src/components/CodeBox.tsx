/** Code with its language, to copy, and to put into a new cell where the host lets us. */
import { useContext } from "preact/hooks";
import { useCopied } from "../hooks";
import { Icon } from "../icons";
import { InsertContext } from "../insert";
import { pieces } from "../markdown/highlight";
import { Caret } from "./Markdown";

export function CodeBox({ code, language, caret = false }: { code: string; language: string; caret?: boolean }) {
  const insert = useContext(InsertContext);
  const name = /^[\w+#.-]*/.exec(language.trim())![0].toLowerCase();
  return (
    <figure class="code-box">
      <figcaption>
        <span class="language">{name || "text"}</span>
        {insert && isForCells(name) && (
          <button type="button" title="Put into a new cell below" onClick={() => insert(code)}>
            <Icon name="insert" size={14} />
            <span>Insert</span>
          </button>
        )}
        <CopyButton text={code} />
      </figcaption>
      <pre tabIndex={0} role="group" aria-label={`Code, ${name || "text"}`}>
        <Coloured code={code} language={name} />
        {caret && <Caret key={code.length} />}
      </pre>
    </figure>
  );
}

function Coloured({ code, language }: { code: string; language: string }) {
  return (
    <code>
      {pieces(code, language).map(([kind, text], index) =>
        kind ? (
          <span key={index} class={`code-${kind}`}>
            {text}
          </span>
        ) : (
          text
        ),
      )}
    </code>
  );
}

export function CopyButton({ text }: { text: string }) {
  const [copied, tell] = useCopied();
  const copy = () => void copyText(text).then(tell);
  return (
    <button type="button" title="Copy" onClick={copy}>
      <Icon name={copied ? "check" : "copy"} size={14} />
      <span>{copied ? "Copied" : "Copy"}</span>
    </button>
  );
}

/** Puts text on the clipboard, also where the page may not use the clipboard itself (plain http). */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.cssText = "position:fixed;opacity:0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function isForCells(language: string): boolean {
  return ["", "text", "py", "python", "python3", "ipython", "ipython3", "r", "julia"].includes(language);
}

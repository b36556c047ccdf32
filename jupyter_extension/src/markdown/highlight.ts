/**
 * Colours for code: keywords, strings, numbers, names that are defined or called, and comments.
 *
 * One scanner for all languages with a short account of each. It knows no grammar, which is enough for reading an answer, and takes a
 * fiftieth of a highlighter's bytes.
 */

export type Kind = "keyword" | "string" | "number" | "name" | "comment" | "added" | "removed" | null;
export type Piece = readonly [Kind, string];

interface Language {
  keywords: Set<string>;
  /** What follows these words is a name. */
  defines: Set<string>;
  scanner: RegExp;
  /** Whether case does not matter for keywords. */
  loose: boolean;
}

const HASH = "#.*";
const SLASHES = String.raw`\/\/.*|\/\*[\s\S]*?(?:\*\/|$)`;
const QUOTED = String.raw`"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?`;
const TRIPLE = String.raw`[rRbBfFuU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)`;
const TICKED = String.raw`\x60(?:\\[\s\S]|[^\x60\\])*(?:\x60|$)`;

function language(words: string, comment: string, string: string, defines = "", loose = false): Language {
  const scanner = new RegExp(
    String.raw`(${comment})|(${string})|((?<![\w$.])(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?[\d_]*(?:[eE][+-]?\d+)?[jlLn]?))(?![\w])|(@[\w.]+|%{1,2}(?=[a-z])\w+|[A-Za-z_$][\w$]*)`,
    "gm",
  );
  return { keywords: new Set(words.split(" ")), defines: new Set(defines.split(" ")), scanner, loose };
}

const python = language(
  "and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield True False None",
  HASH,
  TRIPLE,
  "def class",
);
const script = language(
  "abstract as async await break case catch class const continue default delete do else enum export extends false finally for from function if implements import in instanceof interface let new null of private protected public readonly return static super switch this throw true try type typeof undefined var void while yield",
  SLASHES,
  `${QUOTED}|${TICKED}`,
  "function class interface type enum",
);
const c = language(
  "auto bool break case catch char class const constexpr continue default delete do double else enum extern false final float fn for func go goto if impl import inline int interface let long loop map match mod mut namespace new nil null nullptr operator override package private protected pub public return self short signed sizeof static struct super switch template this throw trait true try type typedef union unsigned use using var virtual void volatile where while #include #define #ifdef #endif",
  SLASHES,
  QUOTED,
  "class struct fn func enum trait interface namespace",
);
const shell = language(
  "if then else elif fi for while until do done case esac in function return export local set unset source exit break continue true false",
  String.raw`(?<![\w$\\])#.*`,
  QUOTED,
  "function",
);
const sql = language(
  "add all alter and as asc begin between by case cast check commit create cross database delete desc distinct drop else end except exists explain false foreign from full group having if in index inner insert intersect into is join key left like limit not null offset on or order outer over partition primary references replace returning right rollback select set table then true union unique update using values view when where window with",
  String.raw`--.*|\/\*[\s\S]*?(?:\*\/|$)`,
  QUOTED,
  "",
  true,
);
const r = language("break else FALSE for function if in Inf library NA NaN next NULL repeat return TRUE while", HASH, QUOTED);
const julia = language(
  "abstract baremodule begin break catch const continue do else elseif end export false finally for function global if import in let local macro module mutable nothing quote return struct true try using where while",
  String.raw`#=[\s\S]*?(?:=#|$)|#.*`,
  String.raw`"""[\s\S]*?(?:"""|$)|"(?:\\.|[^"\\])*"?`,
  "function struct module macro",
);
const data = language("true false null yes no on off", String.raw`(?<=^|\s)#.*`, QUOTED);
const markup = language("", String.raw`<!--[\s\S]*?(?:-->|$)`, QUOTED);

const LANGUAGES: Record<string, Language> = { python, script, c, shell, sql, r, julia, data, markup };
const NAMES: Record<string, string> = {
  ...{ py: "python", python3: "python", ipython: "python", ipython3: "python", toml: "data", yaml: "data", yml: "data", json: "data" },
  ...{ js: "script", jsx: "script", ts: "script", tsx: "script", javascript: "script", typescript: "script", java: "c", "c++": "c" },
  ...{ cpp: "c", rust: "c", rs: "c", go: "c", "c#": "c", cs: "c", csharp: "c", swift: "c", kotlin: "c", jsonc: "script", css: "script" },
  ...{ sh: "shell", bash: "shell", zsh: "shell", console: "shell", dockerfile: "shell", postgresql: "sql", sqlite: "sql", ini: "data" },
  ...{ html: "markup", xml: "markup", svg: "markup" },
};
/** Beyond this many characters code stays plain: colouring it takes longer than a frame. */
const MOST = 60_000;

/** The code in pieces, each with what it is; the texts together are the code. */
export function pieces(code: string, name: string): Piece[] {
  if (name === "diff" || name === "patch") return lines(code);
  const found = LANGUAGES[NAMES[name] ?? name];
  if (!found || code.length > MOST) return [[null, code]];
  const parts: Piece[] = [];
  let at = 0;
  let before = "";
  for (const match of code.matchAll(found.scanner)) {
    const kind = kindOf(match, found, before, code);
    const [text, , , , word] = match;
    if (word !== undefined) before = word;
    if (kind === null || !text) continue;
    if (match.index > at) parts.push([null, code.slice(at, match.index)]);
    parts.push([kind, text]);
    at = match.index + text.length;
  }
  if (at < code.length) parts.push([null, code.slice(at)]);
  return parts;
}

function kindOf(match: RegExpExecArray, { keywords, defines, loose }: Language, before: string, code: string): Kind {
  const [text, comment, string, number] = match;
  const next = code[match.index + text.length];
  if (comment !== undefined) return "comment";
  if (string !== undefined) return next === ":" && keywords.has("yes") ? "name" : "string";
  if (number !== undefined) return "number";
  if (keywords.has(loose ? text.toLowerCase() : text)) return "keyword";
  if (/^[@%]/.test(text)) return "name";
  if (defines.has(before) || next === "(") return "name";
  if (keywords.has("yes") && next === ":") return "name";
  return !keywords.has("") || !/[</]/.test(code[match.index - 1] ?? "") ? null : "keyword";
}

function lines(code: string): Piece[] {
  return code.split(/(?<=\n)/).map((line) => {
    if (/^(?:@@|---|\+\+\+)/.test(line)) return ["comment", line];
    return [line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : null, line];
  });
}

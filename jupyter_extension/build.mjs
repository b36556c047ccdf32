// Builds `src/index.tsx` into one ES module for anywidget; the style sheet is inside it, for the shadow root.
// `--gallery` builds the page that shows every state without a kernel; `--watch` builds again on every change.
import { readFile } from "node:fs/promises";
import { context, transform } from "esbuild";

const gallery = process.argv.includes("--gallery");

/** The design tokens by the short names that they have in what is shipped. */
async function shortNames() {
  const tokens = await readFile("src/styles/tokens.css", "utf8");
  const names = [...new Set(tokens.match(/--[a-z][a-z\d-]*(?=:)/g))];
  return new Map(names.map((name, place) => [name, `--${place.toString(36)}`]));
}
const short = gallery ? new Map() : await shortNames();

/** Style sheets as texts, without what only people read. */
const sheets = {
  name: "sheets",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const sheet = await readFile(path, "utf8");
      const { code } = await transform(sheet, { loader: "css", minify: true, target: "es2022" });
      const contents = code.replace(/--[a-z][a-z\d-]*/g, (name) => short.get(name) ?? name);
      return { contents, loader: "text" };
    });
  },
};
const options = {
  entryPoints: [gallery ? "gallery/index.tsx" : "src/index.tsx"],
  outfile: gallery ? "gallery/gallery.js" : "../hector_nb/frontends/static/chat.js",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: !gallery,
  charset: "utf8",
  legalComments: "inline",
  jsx: "automatic",
  jsxImportSource: "preact",
  plugins: [sheets],
  logLevel: "info",
};
const build = await context(options);
if (process.argv.includes("--watch")) {
  await build.watch();
} else {
  await build.rebuild();
  await build.dispose();
}

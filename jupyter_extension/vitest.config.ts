/** Tests run in jsdom; what it lacks is in `tests/setup.ts`. Style sheets are texts, as in the build. */
import { readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  plugins: [
    {
      name: "sheets",
      enforce: "pre",
      transform: (_, id) => (id.endsWith(".css") ? `export default ${JSON.stringify(readFileSync(id, "utf8"))}` : undefined),
    },
  ],
  test: {
    environment: "jsdom",
    globals: true,
    setupFiles: ["tests/setup.ts"],
    include: ["tests/**/*.test.{ts,tsx}"],
    // A bound for what hangs, not a measure of speed: 300 messages take jsdom seconds on a busy machine.
    testTimeout: 30_000,
  },
});

// Packs an extractor: bundles its modules into one, then puts the engine around it.
// node pack.mjs ENTRY SDK PROJECT WIT OUTPUT, in the folder with node_modules.

import { writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { componentize } from "@bytecodealliance/componentize-js";
import { rolldown } from "rolldown";

const [entry, sdk, project, witPath, output] = process.argv.slice(2);

// What is wrong is in the message; the stack is that of the tools.
process.on("uncaughtException", (error) => {
  console.error(error?.message ?? error);
  process.exit(1);
});

const bundle = await rolldown({
  input: entry,
  // Packages come from the project; the SDK is the one that extractor.toml names.
  resolve: {
    alias: {
      "quarry-extractor": join(sdk, "index.js"),
      "quarry-guest": join(sdk, "src/guest.js"),
    },
    modules: [join(project, "node_modules")],
    mainFields: ["module", "main"],
  },
  external: /^quarry:/,
  platform: "neutral",
  onLog(level, log, next) {
    // Left as an import, it would fail with less to go by.
    if (log.code === "UNRESOLVED_IMPORT") throw new Error(log.message);
    next(level, log);
  },
});
const bundled = join(dirname(entry), "bundled.js");
await bundle.write({ file: bundled, format: "esm", codeSplitting: false });
await bundle.close();

// Paths in the component are relative to this folder, so that it does not depend on the machine.
process.chdir(dirname(bundled));
const { component } = await componentize({
  sourcePath: basename(bundled),
  witPath,
  worldName: "plugin",
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);

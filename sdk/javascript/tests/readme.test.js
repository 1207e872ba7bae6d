// The code of README.md works as it stands there.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Harness } from "quarry-extractor/testing";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Below the package, so that it finds itself by its name.
const folder = mkdtempSync(join(root, "tests", ".readme-"));
after(() => rmSync(folder, { recursive: true }));

const text = readFileSync(join(root, "README.md"), "utf8");
const blocks = [...text.matchAll(/```javascript\n(.*?)```/gs)].map(([, block]) => block);
const [first, tests, lines] = blocks;

test("the first extractor passes its tests", () => {
  assert.equal(blocks.length, 3);
  writeFileSync(join(folder, "extractor.js"), first);
  writeFileSync(join(folder, "extractor.test.js"), tests);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const given = ["--test", "--test-reporter=tap", "extractor.test.js"];
  const output = execFileSync(process.execPath, given, { cwd: folder, env });
  assert.match(output.toString(), /^# pass 2$/m);
});

test("the second one makes lines", async () => {
  const path = join(folder, "lines.js");
  writeFileSync(path, lines);
  const harness = new Harness((await import(pathToFileURL(path))).default, { letters: 2 });
  assert.equal(harness.description.position, "number");
  assert.equal(harness.description.queries, true);
  assert.deepEqual(harness.row({ text: "ab\n\nbb" })[1], { number: 2, embedding: [0, 2] });
  assert.deepEqual(harness.embedQuery("a"), { embedding: [1, 0] });
});

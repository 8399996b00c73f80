/** What gdb makes of the image: TypeScript lines from addresses, and addresses from names. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";
import { vmmImage } from "../../../scripts/vmm.ts";
import { install, isInstalled } from "../oracles.ts";

export async function linesForGdb(): Promise<string> {
  if (!isInstalled("gdb")) install(["gdb"]);
  const image = await vmmImage();
  const folder = join(root, ".cache/system/vmm");
  mkdirSync(folder, { recursive: true });
  const rows = image.lines.filter((row, n) => row.file === "main.ts" && row.address !== image.lines[n + 1]?.address);
  assert.ok(rows.length > 5);
  for (const [name, bytes] of Object.entries({ "vmm.elf": image.bytes, "vmm.debug.elf": image.debugFile })) {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    const ask = (command: string) => execFileSync("gdb", ["-nx", "-batch", "-ex", command, file], { encoding: "utf8" });
    for (const { address, line } of [rows[0]!, rows.at(-1)!])
      assert.match(ask(`info line *${address}`), new RegExp(`^Line ${line} of "main\\.ts"`, "m"));
    assert.match(ask(`info symbol ${image.symbol("vmEnter").address}`), /^vmEnter in section \.text/m);
  }
  return `${rows.length} places in main.ts`;
}

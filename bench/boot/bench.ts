/**
 * `npm run bench -- boot [--json]`: from power-on to DEMO-READY, beside QEMU's interpreter-compiler (TCG) on the same image,
 * firmware and processor model, in turns; the best of each counts.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "../../scripts/bundle.mjs";
import { install, isInstalled } from "../../test/system/oracles.ts";

const ROUNDS = 3;
const QEMU = "qemu-system-x86_64";

interface Boot {
  readonly instructions: number;
  readonly virtualSeconds: number;
  readonly buildSeconds: number;
  readonly bootSeconds: number;
  readonly mips: number;
  readonly hostMemoryBeyondRam: number;
  readonly idleShareOfCore: number;
}

function ours(processors: number): Boot {
  const program = [join(root, "scripts/run.mjs"), join(root, "bench/boot/ours.ts"), String(processors)];
  return JSON.parse(execFileSync(process.execPath, program, { encoding: "utf8" })) as Boot;
}

/** Seconds from the process' start to DEMO-READY on its serial port. */
function qemu(image: string, processors: number): Promise<number> {
  const disk = `if=none,id=disk,file=${image},format=raw,snapshot=on`;
  const board = [
    "-machine",
    "pc,smm=off",
    "-accel",
    "tcg",
    "-cpu",
    "Westmere",
    "-m",
    "128",
    "-smp",
    String(processors),
  ];
  const devices = ["-nodefaults", "-vga", "std", "-device", "ahci,id=ahci,addr=4", "-drive", disk];
  const bios = ["-bios", join(root, "firmware-blobs/seabios/bios.bin"), "-device", "ide-hd,drive=disk,bus=ahci.0"];
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(QEMU, [...board, ...devices, ...bios, "-display", "none", "-serial", "stdio"]);
    let text = "";
    let ready = false;
    child.stdout.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (ready || !text.includes("DEMO-READY")) return;
      ready = true;
      resolve((performance.now() - started) / 1000);
      child.kill("SIGKILL");
    });
    child.stderr.on("data", (bytes: Buffer) => {
      text += bytes.toString();
    });
    child.on("error", reject);
    child.on("close", () => !ready && reject(new Error(`QEMU ended before DEMO-READY:\n${text.slice(-500)}`)));
  });
}

async function compare(image: string, processors: number, withQemu: boolean) {
  let best: Boot | undefined;
  let peer = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const boot = ours(processors);
    if (best === undefined || boot.bootSeconds < best.bootSeconds) best = boot;
    if (withQemu) peer = Math.min(peer, await qemu(image, processors));
  }
  const qemuSeconds = withQemu ? peer : null;
  return { processors, ...best!, qemuSeconds, speedVsQemu: qemuSeconds && qemuSeconds / best!.bootSeconds };
}

export async function benchBoot(json: boolean): Promise<void> {
  if (!isInstalled(QEMU)) install(["qemu-system-x86"]);
  const withQemu = isInstalled(QEMU);
  const folder = mkdtempSync(join(tmpdir(), "castaway-bench-"));
  try {
    const image = join(folder, "demo.img");
    writeFileSync(image, gunzipSync(readFileSync(join(root, "firmware-blobs/demo/demo.img.gz"))));
    const rows = [await compare(image, 1, withQemu), await compare(image, 4, withQemu)];
    const machine = `${cpus()[0]?.model.trim()}, Node ${process.version}`;
    const version = withQemu ? execFileSync(QEMU, ["--version"], { encoding: "utf8" }).split("\n")[0] : null;
    if (json) console.log(JSON.stringify({ machine, qemu: version, rows }));
    else console.log([machine, version ?? "QEMU is not installed", "", ...table(rows)].join("\n"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type Row = Awaited<ReturnType<typeof compare>>;

function table(rows: readonly Row[]): string[] {
  const line = (name: string, show: (row: Row) => string) =>
    name.padEnd(34) + rows.map((row) => show(row).padStart(12)).join("");
  return [
    line("processors", (row) => String(row.processors)),
    line("instructions to DEMO-READY", (row) => `${(row.instructions / 1e6).toFixed(1)} M`),
    line("virtual seconds", (row) => row.virtualSeconds.toFixed(3)),
    line("host seconds", (row) => row.bootSeconds.toFixed(2)),
    line("MIPS", (row) => row.mips.toFixed(1)),
    line("QEMU TCG, host seconds", (row) => row.qemuSeconds?.toFixed(2) ?? "-"),
    line("speed: QEMU's seconds / ours", (row) => row.speedVsQemu?.toFixed(2) ?? "-"),
    line("building the machine, seconds", (row) => row.buildSeconds.toFixed(2)),
    line("host memory beyond guest RAM", (row) => `${(row.hostMemoryBeyondRam / 2 ** 20).toFixed(0)} MiB`),
    line("idle shell, share of a core", (row) => `${(100 * row.idleShareOfCore).toFixed(1)} %`),
  ];
}

/**
 * Other machines that run the same images: QEMU (TCG) and Bochs. Bochs checks what the manual says nearly everywhere;
 * QEMU has neither segment limits nor alignment checks.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { type OracleName, outputOf } from "./program.ts";

export interface Oracle {
  readonly name: OracleName;
  /** Debian's package. */
  readonly packageName: string;
  readonly command: string;
  run(image: string, cpus: number): Promise<string[]>;
}

const SECONDS = 20;

/** Standard output of a command; what is longer than a program's output can be is cut off. */
function outputOfCommand(
  command: string,
  args: string[],
  cwd: string,
): Promise<{ text: string; code: number | null; late: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "ignore"] });
    const pieces: Buffer[] = [];
    let bytes = 0,
      late = false;
    const alarm = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, SECONDS * 1000);
    child.stdout.on("data", (piece: Buffer) => {
      if ((bytes += piece.length) > 1 << 20) child.kill("SIGKILL");
      else pieces.push(piece);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(alarm);
      resolve({ text: Buffer.concat(pieces).toString("latin1"), code, late });
    });
  });
}

/** isa-debug-exit ends with an odd code; a triple fault, which resets, ends with 0 because of -no-reboot. */
const qemu: Oracle = {
  name: "qemu",
  packageName: "qemu-system-x86",
  command: "qemu-system-x86_64",
  async run(image) {
    const args = "-cpu max,vendor=GenuineIntel -debugcon stdio -display none -no-reboot -nodefaults -bios".split(" ");
    const exit = ["-device", "isa-debug-exit,iobase=0x501"];
    const { text, code, late } = await outputOfCommand("qemu-system-x86_64", [...args, image, ...exit], "/");
    const lines = outputOf(text);
    if (late) lines.push("limit");
    else if (code === 0) lines.push("shutdown");
    return lines;
  },
};

/** A VGA BIOS that does nothing: Bochs must have one, and Debian's is a link to another package. */
function dummyVgaBios(): Uint8Array {
  const rom = new Uint8Array(512);
  rom.set([0x55, 0xaa, 1, 0xcb]);
  rom[511] = -rom.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return rom;
}

/** With that model: not each has every feature. */
const bochsAs = (model: string): Oracle => ({
  name: "bochs",
  packageName: "bochs",
  command: "bochs",
  async run(image, cpus) {
    const folder = `${image}.bochs`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}/vga.rom`, dummyVgaBios());
    writeFileSync(`${folder}/commands`, "c\nq\n");
    const settings = [
      "megs: 32",
      `cpu: model=${model}, count=${cpus}, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=0`,
      `romimage: file=${image}`,
      "vgaromimage: file=vga.rom",
      "port_e9_hack: enabled=1",
      'display_library: rfb, options="timeout=0"',
      "log: log.txt",
      "panic: action=fatal",
      "error: action=report",
      "info: action=report",
      "sound: driver=dummy, waveout=none",
      "speaker: enabled=1, mode=none",
    ];
    writeFileSync(`${folder}/settings`, `${settings.join("\n")}\n`);
    const { text, late } = await outputOfCommand("bochs", ["-q", "-f", "settings", "-rc", "commands"], folder);
    const said = text.slice(text.indexOf("\x01")),
      complete = said.includes("\x02"); // Bochs says something at a triple fault too, and if it ends by itself
    const lines = outputOf(
      complete ? said.replaceAll(/^\(\d\)\.\[.*\n/gm, "") : said.split(/^(?:={20}|\(0\)\.\[)/m)[0]!,
    );
    if (late) lines.push("limit");
    else if (!complete) lines.push("shutdown");
    else rmSync(folder, { recursive: true });
    return lines;
  },
});

export const oracles: readonly Oracle[] = [qemu, bochsAs("corei7_icelake_u")];
/** QEMU's translator has no VT-x. */
export const vtxOracles: readonly Oracle[] = [bochsAs("corei7_haswell_4770")];

export const isInstalled = (command: string): boolean =>
  spawnSync(command, ["--version"], { stdio: "ignore" }).error === undefined;

/** Installs Debian packages; what it says comes out only if it fails. */
export function install(packages: readonly string[]): void {
  console.log(`installing ${packages.join(", ")}`);
  const apt = (args: string[]) =>
    spawnSync("apt-get", args, { encoding: "utf8", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
  const options = ["install", "-y", "--no-install-recommends", ...packages];
  let result = apt(options);
  if (result.status !== 0) {
    apt(["update"]);
    result = apt(options);
  }
  if (result.status !== 0) console.error(result.error?.message ?? result.stderr);
}

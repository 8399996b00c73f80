/**
 * The disk of the KVM test: SYSLINUX, Debian's kernel, and an initramfs with BusyBox, Debian's KVM modules and our
 * program.
 *
 * The kernel is the package's to the byte, but unpacked: its own unpacker takes 4.6 thousand million instructions, so
 * direct-boot.s stands in for it between the package's real-mode part and the package's vmlinux.
 */

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";
import { cache, command, debianPackage } from "../guests/cache.ts";
import { install, isInstalled } from "../oracles.ts";

const here = join(root, "test/system/kvm");
const COMMAND_LINE = "console=ttyS0,115200 nokaslr tsc=reliable retbleed=off";
const PAGE = 4096;
const pages = (bytes: number) => Math.ceil(bytes / PAGE) * PAGE;

/** The image, built if it is not there for these sources and this kernel. */
export function disk(): Uint8Array {
  const kernel = kernelPackage();
  const hash = createHash("sha256").update(kernel);
  for (const file of readdirSync(here).sort()) hash.update(file).update(readFileSync(join(here, file)));
  const folder = join(cache, "kvm");
  const path = join(folder, `${hash.digest("hex").slice(0, 16)}.img`);
  if (existsSync(path)) return new Uint8Array(readFileSync(path));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const work = mkdtempSync(join(cache, "kvm-"));
  try {
    build(debianPackage(kernel), work);
    renameSync(join(work, "disk"), path);
  } finally {
    rmSync(work, { recursive: true });
  }
  return new Uint8Array(readFileSync(path));
}

/** The package that linux-image-amd64 depends on. */
function kernelPackage(): string {
  const ask = () => {
    const { stdout } = spawnSync("apt-cache", ["depends", "linux-image-amd64"], { encoding: "utf8" });
    return /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  };
  let name = ask();
  if (name === undefined) {
    command("apt-get", ["update"]);
    name = ask();
  }
  if (name === undefined) throw new Error("apt knows no linux-image-amd64");
  return name;
}

function build(kernel: string, work: string): void {
  if (!["gcc", "as", "xz"].every(isInstalled)) install(["gcc", "binutils", "libc6-dev", "xz-utils"]);
  const boot = join(kernel, "boot");
  const packed = readFileSync(join(boot, readdirSync(boot).find((name) => name.startsWith("vmlinuz"))!));
  writeFileSync(join(work, "vmlinuz"), unpackedKernel(packed, work));
  writeFileSync(join(work, "initrd"), initramfs(kernel, work));
  writeFileSync(
    join(work, "syslinux.cfg"),
    `DEFAULT linux\nLABEL linux\n KERNEL /vmlinuz\n INITRD /initrd\n APPEND ${COMMAND_LINE}\n`,
  );
  const mtools = join(debianPackage("mtools"), "usr/bin");
  const syslinux = join(debianPackage("syslinux"), "usr/bin/syslinux");
  const image = ["-i", "disk"];
  writeFileSync(join(work, "disk"), new Uint8Array(64 << 20));
  command(join(mtools, "mtools"), ["-c", "mformat", ...image, "-h", "255", "-s", "63", "-c", "64", "::"], work);
  command("env", [`PATH=${mtools}:${process.env.PATH}`, syslinux, "--install", "disk"], work);
  command(join(mtools, "mtools"), ["-c", "mcopy", ...image, "vmlinuz", "initrd", "syslinux.cfg", "::"], work);
}

/** A bzImage whose kernel is not packed [Linux boot protocol]. */
function unpackedKernel(packed: Buffer, work: string): Uint8Array {
  const setup = (packed[0x1f1]! + 1) * 512;
  const [offset, length] = [packed.readUInt32LE(0x248), packed.readUInt32LE(0x24c)];
  // The last four bytes are the size unpacked.
  writeFileSync(join(work, "kernel.xz"), packed.subarray(setup + offset, setup + offset + length - 4));
  command("xz", ["-d", "kernel.xz"], work);
  const { memory, size } = loaded(readFileSync(join(work, "kernel")));
  const symbols = { STORED: memory.length, SIZE: size, TABLES: KERNEL + size };
  const given = Object.entries(symbols).flatMap(([name, value]) => ["--defsym", `${name}=${value}`]);
  command("as", ["--64", "-o", join(work, "boot.o"), join(here, "direct-boot.s")]);
  command("ld", ["-N", "-Ttext=0x100000", "--oformat=binary", ...given, "-o", "boot", "boot.o"], work);
  const image = Buffer.alloc(setup + PAGE + memory.length);
  packed.copy(image, 0, 0, setup);
  readFileSync(join(work, "boot")).copy(image, setup);
  image.set(memory, setup + PAGE);
  image.writeUInt32LE((PAGE + memory.length) / 16, 0x1f4); // syssize
  image[0x234] = 0; // relocatable_kernel
  image.writeUInt16LE(0, 0x236); // xloadflags: only the 32-bit entry
  image.writeUInt32LE(0, 0x248); // payload_offset, payload_length, handover_offset
  image.writeUInt32LE(0, 0x24c);
  image.writeUInt32LE(0, 0x264);
  return image;
}

/** Where vmlinux is linked. */
const KERNEL = 0x1000000;

/** The memory from KERNEL on that an ELF file's loadable segments make, without the zeros at its end. */
function loaded(elf: Buffer): { memory: Uint8Array; size: number } {
  const headers = Number(elf.readBigUInt64LE(0x20));
  const memory = new Uint8Array(elf.length);
  let size = 0;
  for (let at = headers; at < headers + 56 * elf.readUInt16LE(0x38); at += 56) {
    if (elf.readUInt32LE(at) !== 1) continue; // PT_LOAD
    const [offset, , physical, inFile, inMemory] = [0, 1, 2, 3, 4].map((n) =>
      Number(elf.readBigUInt64LE(at + 8 + 8 * n)),
    );
    memory.set(elf.subarray(offset!, offset! + inFile!), physical! - KERNEL);
    size = Math.max(size, physical! - KERNEL + inMemory!);
  }
  let stored = memory.length;
  while (stored > 0 && memory[stored - 1] === 0) stored--;
  return { memory: memory.subarray(0, pages(stored)), size: pages(size) };
}

function initramfs(kernel: string, work: string): Uint8Array {
  const modules = join(kernel, "lib/modules");
  const tree = join(modules, readdirSync(modules)[0]!, "kernel");
  const program = ["-O1", "-Wall", "-Werror", "-static", "-o", "guests"];
  const sources = readdirSync(here).filter((name) => name.endsWith(".c") || name.endsWith(".S"));
  command("gcc", [...program, ...sources.map((name) => join(here, name))], work);
  command("strip", ["guests"], work);
  return archive({
    init: readFileSync(join(here, "init")),
    "bin/busybox": readFileSync(join(debianPackage("busybox-static"), "bin/busybox")),
    "bin/try": readFileSync(join(here, "try")),
    "bin/guests": readFileSync(join(work, "guests")),
    "lib/irqbypass.ko": readFileSync(join(tree, "virt/lib/irqbypass.ko")),
    "lib/kvm.ko": readFileSync(join(tree, "arch/x86/kvm/kvm.ko")),
    "lib/kvm-intel.ko": readFileSync(join(tree, "arch/x86/kvm/kvm-intel.ko")),
  });
}

/** A cpio archive ("newc") of executable files, with the folders that the system mounts at. */
function archive(files: Record<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = [];
  let number = 0;
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const add = (name: string, mode: number, content: Uint8Array) => {
    const fields = [++number, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
    parts.push(pad(Buffer.from(head, "latin1")), pad(Buffer.from(content)));
  };
  for (const folder of ["bin", "lib", "dev", "proc", "sys"]) add(folder, 0o040755, new Uint8Array());
  for (const [name, content] of Object.entries(files)) add(name, 0o100755, content);
  add("TRAILER!!!", 0, new Uint8Array());
  return Buffer.concat(parts);
}

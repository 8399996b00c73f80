/**
 * The other way to deploy: a Linux that iPXE loads copies the image from the same server to the same disk, and boots that. It is the
 * demo disk's kernel, with a busybox and one script in its initial RAM disk.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cache, command, debianPackage } from "../../test/system/guests/cache.ts";
import { demoImage } from "../../test/system/guests/machine.ts";

const SCRIPT = `#!ipxe
kernel vmlinuz initrd=rescue.cpio console=ttyS0,115200 quiet
initrd rescue.cpio
boot
`;

const init = (mtu: number) => `#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
$bb mount -t sysfs sys /sys
$bb ip link set eth0 mtu ${mtu}
$bb ip link set eth0 up
until $bb grep -q 1 /sys/class/net/eth0/carrier; do $bb usleep 1000; done
echo > /dev/etherd/discover
until [ -b /dev/etherd/e0.0 ]; do $bb usleep 1000; done
echo "COPY-BEGINS" > /dev/console
$bb dd if=/dev/etherd/e0.0 of=/dev/sda bs=1M
$bb sync
echo "COPY-ENDS" > /dev/console
$bb reboot -f
`;

/** What TFTP serves, and which of it iPXE boots. */
export function rescueFiles(mtu: number): { files: Record<string, Uint8Array>; bootFile: string } {
  const text = new TextEncoder();
  const busybox = new Uint8Array(readFileSync(join(debianPackage("busybox-static"), "bin/busybox")));
  const entries: Entry[] = [
    { name: "bin", mode: 0o40755 },
    { name: "dev", mode: 0o40755 },
    { name: "sys", mode: 0o40755 },
    { name: "dev/console", mode: 0o20600, device: [5, 1] },
    { name: "bin/busybox", mode: 0o100755, content: busybox },
    { name: "init", mode: 0o100755, content: text.encode(init(mtu)) },
  ];
  return {
    files: { "boot.ipxe": text.encode(SCRIPT), vmlinuz: demoKernel(), "rescue.cpio": archive(entries) },
    bootFile: "boot.ipxe",
  };
}

/** Out of the demo disk's FAT partition, which begins at 1 MiB. */
function demoKernel(): Uint8Array {
  const mtools = join(debianPackage("mtools"), "usr/bin/mtools");
  const work = mkdtempSync(join(cache, "kernel-"));
  try {
    writeFileSync(join(work, "disk"), demoImage());
    command(mtools, ["-c", "mcopy", "-i", "disk@@1M", "::vmlinuz", "vmlinuz"], work);
    return new Uint8Array(readFileSync(join(work, "vmlinuz")));
  } finally {
    rmSync(work, { recursive: true });
  }
}

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly content?: Uint8Array;
  readonly device?: readonly [number, number];
}

/** A cpio archive as Linux takes it: "newc", with headers of hexadecimal text, everything at multiples of 4. */
function archive(entries: readonly Entry[]): Uint8Array {
  const parts: Buffer[] = [];
  const all = [...entries, { name: "TRAILER!!!", mode: 0 }];
  for (const [n, { name, mode, content = new Uint8Array(), device = [0, 0] }] of all.entries()) {
    const fields = [n + 1, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, name.length + 1, 0];
    const head = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    parts.push(padded(Buffer.from(`070701${head}${name}\0`)), padded(Buffer.from(content)));
  }
  return new Uint8Array(Buffer.concat(parts));
}
const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);

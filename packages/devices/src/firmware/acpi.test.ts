import { readLittle } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { acpiFiles } from "./acpi-tables.ts";
import { dsdtTerms } from "./dsdt.ts";

/** What `iasl dsdt.asl` (ACPICA 20200925) makes of dsdt.asl, without the header of 36 bytes. */
const compiled = `
085f53355f12060400000000104f255f53425f5b82472550434930085f4849440c41d00a03085f41445200085f5549440008
5f4352531142070a6e880d00020c0000000000ff00000000014701f80cf80c0108880d00010c0300000000f70c0000f80c88
0d00010c030000000dffff000000f3871700000c030000000000000a00ffff0b000000000000000200871700000c01000000
00000000e0ffffbffe000000000000c01e7900085f50525412491015120b040cffff010000000a09120b040cffff02000000
0a0a120b040cffff020001000a0b120c040cffff02000a02000a0b120c040cffff02000a03000a0a120b040cffff03000000
0a0b120b040cffff030001000a0b120c040cffff03000a02000a0a120c040cffff03000a03000a0a120b040cffff04000000
0a0b120b040cffff040001000a0a120c040cffff04000a02000a0a120c040cffff04000a03000a0b120b040cffff05000000
0a0a120b040cffff050001000a0a120c040cffff05000a02000a0b120c040cffff05000a03000a0b120b040cffff06000000
0a0a120b040cffff060001000a0b120c040cffff06000a02000a0b120c040cffff06000a03000a0a5b82420b4953415f085f
4144520c000001005b82255254435f085f4849440c41d00b00085f43525311100a0d470170007000010222000179005b822d
4b42445f085f4849440c41d00303085f43525311180a154701600060000101470164006400010122020079005b821d4d4f55
5f085f4849440c41d00f13085f43525311080a0522001079005b822b434f4d31085f4849440c41d00501085f55494401085f
43525311100a0d4701f803f80300082210007900
`;

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes).replace(/\0.*$/s, "");

/** Plays the loader's script as firmware does, with the files at these addresses. */
function load(files: Record<string, Uint8Array>, places: Record<string, number>): Record<string, Uint8Array> {
  const memory: Record<string, Uint8Array> = {};
  const script = files["etc/table-loader"];
  for (let at = 0; at < script.length; at += 128) {
    const word = (offset: number) => readLittle(script, at + offset, 4);
    const file = text(script.subarray(at + 4, at + 60));
    if (word(0) === 1) {
      assert.is(places[file] % word(60), 0);
      memory[file] = files[file].slice();
    } else if (word(0) === 2) {
      const view = new DataView(memory[file].buffer);
      const offset = word(116);
      view.setUint32(offset, view.getUint32(offset, true) + places[text(script.subarray(at + 60, at + 116))], true);
    } else if (word(0) === 3) {
      const [where, start, length] = [word(60), word(64), word(68)];
      assert.is(memory[file][where], 0);
      memory[file][where] = -memory[file].subarray(start, start + length).reduce((sum, byte) => sum + byte, 0);
    } else assert.unreachable(`command ${word(0)}`);
  }
  return memory;
}

test("the DSDT is what the ASL compiler makes of its source", () => {
  const hex = Array.from(dsdtTerms(), (byte) => byte.toString(16).padStart(2, "0")).join("");
  assert.is(hex, compiled.replace(/\s/g, ""));
});

test("parts of the board that are left out are not described", () => {
  const less = text(dsdtTerms({ com1: false, keyboard: false, mouse: false, slots: [4] }).map((byte) => byte || 1));
  for (const part of ["COM1", "KBD_", "MOU_"]) assert.not.match(less, part);
  assert.match(less, "RTC_");
});

test("the firmware finds every table from the RSDP, with right checksums [ACPI 5.2.5]", () => {
  for (const cpus of [1, 4, 16]) {
    const places = { "etc/acpi/tables": 0x1ffe0000, "etc/acpi/rsdp": 0xf5a20 };
    const memory = load(acpiFiles({ cpus }), places);
    const rsdp = memory["etc/acpi/rsdp"];
    const tables = memory["etc/acpi/tables"];
    assert.is(text(rsdp.subarray(0, 8)), "RSD PTR ");
    assert.is(rsdp.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
    const at = (address: number) => {
      const start = address - places["etc/acpi/tables"];
      return tables.subarray(start, start + readLittle(tables, start + 4, 4));
    };
    const table = (address: number, signature: string) => {
      const found = at(address);
      assert.is(text(found.subarray(0, 4)), signature);
      assert.is(found.reduce((sum, byte) => sum + byte, 0) & 0xff, 0, signature);
      return found;
    };
    const rsdt = table(readLittle(rsdp, 16, 4), "RSDT");
    assert.is(rsdt.length, 44);
    const fadt = table(readLittle(rsdt, 36, 4), "FACP");
    assert.is(fadt.length, 116);
    assert.equal([readLittle(fadt, 46, 2), readLittle(fadt, 56, 4), readLittle(fadt, 76, 4)], [9, 0x600, 0x608]);
    assert.is(readLittle(fadt, 112, 4), 0x80a5);
    assert.is(at(readLittle(fadt, 36, 4)).length, 64);
    assert.is(text(at(readLittle(fadt, 36, 4)).subarray(0, 4)), "FACS");
    table(readLittle(fadt, 40, 4), "DSDT");
    const madt = table(readLittle(rsdt, 40, 4), "APIC");
    assert.is(madt.length, 44 + 8 * cpus + 12 + 5 * 10 + 6);
    assert.equal([...madt.subarray(44 + 8 * (cpus - 1), 44 + 8 * cpus)], [0, 8, cpus - 1, cpus - 1, 1, 0, 0, 0]);
  }
});

test("1 to 16 processors", () => {
  for (const cpus of [0, 17, 1.5]) assert.throws(() => acpiFiles({ cpus }), /cpus/);
});

test.run();

/**
 * A machine and its network on one clock: iPXE loads a long script by TFTP over a bad cable. However the run is cut, and saved and
 * restored in the middle of the transfer, it ends in the same state.
 */
import assert from "node:assert/strict";
import { Lan, Machine, seconds } from "castaway";
import { blob } from "../guests/machine.ts";

const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };
const rom = blob("ipxe/pxe-e1000.rom");
const END = seconds(4);

/** 100 KiB of comments; the last line is printed if all of it arrived. */
const comment = `# ${"castaway ".repeat(60)}\n`;
const script = new TextEncoder().encode(`#!ipxe\n${comment.repeat(200)}echo The end of \${filename}\nshell\n`);

async function machine() {
  const link = { loss: 0.01, jitter: 5000 };
  const lan = new Lan({ files: { "boot.ipxe": script }, bootFile: "boot.ipxe", link, seed: 3 });
  const networkCards = [{ rom, port: lan.ports[0]! }];
  const pc = await Machine.create({ firmware, memory: "32MiB", boot: ["network"], networkCards, beside: lan });
  return { pc, lan };
}

/** @param cut virtual time of a stretch */
function runTo(pc: Machine, end: number, cut: number): void {
  while (pc.now < end) pc.run({ atMost: Math.min(cut, end - pc.now) });
}

export async function oneClock(): Promise<string> {
  const whole = await machine();
  runTo(whole.pc, END, END);
  assert.match(whole.pc.screen.text, /The end of boot\.ipxe/);
  assert.ok(whole.lan.tftp.statistics.repeats > 0, "nothing was lost: this shows less than it should");

  const cut = await machine();
  while (cut.lan.tftp.statistics.blocks < 40) cut.pc.run({ atMost: 333_333 });
  assert.equal(cut.lan.tftp.running, 1);
  const at = cut.pc.now;
  const snapshot = await cut.pc.save();
  runTo(cut.pc, END, 7_777_777);

  const restored = await machine();
  await restored.pc.restore(snapshot);
  runTo(restored.pc, END, seconds(1));
  for (const { pc, lan } of [cut, restored]) {
    assert.deepEqual(lan.tftp.statistics, whole.lan.tftp.statistics);
    assert.equal(pc.digest(), whole.pc.digest());
  }
  return `saved at ${(at / 1e9).toFixed(3)} s with ${whole.lan.tftp.statistics.repeats} blocks sent again in all`;
}

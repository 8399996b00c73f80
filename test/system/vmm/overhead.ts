/**
 * Nothing is left of the hypervisor: a program takes the time and the instructions that it takes on a machine which never
 * had one; and a snapshot goes on to the same bit where VMX is taken out of the processors.
 */
import assert from "node:assert/strict";
import { mib, ms, seconds } from "@castaway/kit";
import { type LaboratoryOptions, Machine } from "castaway";
import { PROMPT } from "../guests/demo.ts";
import { Guest } from "../guests/guest.ts";
import { blob, demoImage } from "../guests/machine.ts";
import { laboratory, staysBare, untilBare, verified } from "./deployment.ts";
import { programImage } from "./programs.ts";

const IMAGE = mib(2);
const MEMORY = "64MiB";

/** What programs/overhead.c says of one computation, and the instructions between its two marks. */
interface Run {
  readonly took: number;
  readonly sum: string;
  readonly instructions: number;
}

export async function costsNothing(): Promise<string> {
  const image = programImage("overhead", IMAGE);
  image.fill(1, IMAGE / 2);
  const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };
  const bare = compute(await Machine.create({ firmware, memory: MEMORY, disks: [image] }));
  const lab = await laboratory({ image, memory: MEMORY, commandLine: { chunk: 1, pause: ms(50), log: 0 } });
  const virtual = compute(lab.machine);
  assert.equal(lab.phase, "streaming");
  untilBare(lab, seconds(20));
  const after = compute(lab.machine);
  staysBare(lab);
  verified(lab);
  assert.deepEqual(after, bare);
  assert.equal(virtual.sum, bare.sum);
  const more = (100 * (virtual.took / bare.took - 1)).toFixed(1);
  return `${after.instructions} instructions in ${after.took} ns, bare and afterwards; ${more} % more in the virtual machine`;
}

function compute(machine: Machine): Run {
  const guest = new Guest(machine);
  guest.serial("READY\n", seconds(20));
  const at: number[] = [];
  const end = machine.debugLog.onByte(() => at.push(machine.instructions));
  const said = guest.serial("READY\n", seconds(20), "x");
  end();
  const [, took, sum] = /TOOK (\d+) ns, sum (\w+)/.exec(said)!;
  assert.equal(at.length, 2);
  return { took: Number(took), sum: sum!, instructions: at[1]! - at[0]! };
}

/** The demo's Linux, at work. @param instructions how far both go */
export async function needsNoVmx(instructions: number): Promise<string> {
  const options: Omit<LaboratoryOptions, "read" | "vmm"> = { image: demoImage(), commandLine: { idle: 0 } };
  const lab = await laboratory(options);
  const guest = new Guest(lab.machine);
  guest.serial(PROMPT, seconds(60));
  untilBare(lab, seconds(60));
  const other = await laboratory(options);
  other.machine.restoreState(lab.machine.saveState());
  const plug = unplug(other.machine);
  for (const { machine } of [lab, other]) {
    machine.com1.type("while check; do :; done\n");
    const stop = machine.run({ instructions });
    assert.equal(stop.reason, "limit", stop.detail);
  }
  plug();
  const digests = [lab, other].map(({ machine }) => `${machine.digest()} at ${machine.now} ns`);
  assert.equal(digests[1], digests[0]);
  staysBare(lab);
  assert.equal(Object.keys(other.machine.vmExits.byReason).length, 0);
  return `${instructions} instructions later both have ${digests[0]!.slice(0, 16)}`;
}

/**
 * Takes VMX out of a machine: its VMCS is blank, and nothing begins or counts an exit, or takes up controls. CPUID still shows
 * it, since the guest's programs keep what CPUID says. @returns puts it in again
 */
function unplug({ board }: Machine): () => void {
  const ends = board.cpu.processors.map(({ vmx }) => {
    const vmcs = vmx.vmcs.bytes.slice();
    const gone = () => {
      throw new Error("there is no VMX");
    };
    vmx.vmcs.fill(new Uint8Array(vmcs.length));
    Object.assign(vmx, { loadControls: gone, countExit: gone });
    Object.assign(vmx.exit, { begin: gone });
    return () => {
      vmx.vmcs.fill(vmcs);
      for (const method of ["loadControls", "countExit"]) Reflect.deleteProperty(vmx, method);
      Reflect.deleteProperty(vmx.exit, "begin");
    };
  });
  return () => {
    for (const end of ends) end();
  };
}

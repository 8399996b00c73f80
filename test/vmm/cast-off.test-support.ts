/**
 * A guest's program run twice from the same state: on the bare processor, and as the guest of a small hypervisor
 * (packages/vmm/guest/cast-off/cast-off.test-entry.ts) that casts itself off on the way. Both end with OUT to port F4.
 */
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { Cpu, GPR_NAMES, modelNamed, withFeatures } from "@castaway/cpu";
import { buildVmm, type VmmImage } from "@castaway/vmm/host";
import Long from "long";
import { PENDING_NMI } from "../../packages/cpu/src/core/events.ts";
import { S } from "../../packages/cpu/src/core/state.ts";

/** Registers by their names in the state table, and pieces of physical memory. */
export interface Guest {
  readonly registers: Readonly<Record<string, bigint | number>>;
  readonly memory: readonly (readonly [address: number, bytes: Uint8Array | readonly number[]])[];
  /** Physical pages in which what is left behind depends on when interrupts came. */
  readonly scratch?: readonly number[];
}
export interface Outcome {
  readonly registers: Readonly<Record<string, string>>;
  readonly ram: Uint8Array;
  /** What the program wrote to port E9. */
  readonly printed: string;
}
export interface CastOffOutcome extends Outcome {
  readonly exits: number;
  /** By the order of `Refusal`. */
  readonly refusals: readonly number[];
  readonly isVirtualized: boolean;
  readonly isLocked: boolean;
  /** Linear pages, whose translation to one of the hypervisor's pages is still cached for the guest. */
  readonly cached: readonly string[];
  /** Pages of the hypervisor's memory, from 0 on, and of low memory that is its, in which something is left. */
  readonly remains: readonly number[];
}

const PAGE = 0x1000,
  RAM = 32 << 20,
  /** Where the hypervisor's memory is. */
  BASE = RAM - (16 << 20),
  PLAN = 0x8000,
  REPORT = 0x9000,
  LOCK = 0x9080,
  /** The loader's copy of the image. */
  IMAGE = [0x100000, 0x300000] as const,
  INFORMATION = 0xa000,
  /** Its pages in conventional memory. */
  LOW = [0x9d000, 0x9f000] as const;
const MODEL = withFeatures(modelNamed("skylake"), ["xsave"]);
const DONE = 0xf4,
  DEBUG = 0xe9;
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"] as const;

export const REFUSALS = "none event user halted flags segments instruction mode starting interrupted".split(" ");

/** Registers that the VMCS does not have: they stay what they are. */
const LIVE = ["CR2", "DR0", "DR1", "DR2", "DR3", "DR6", "KERNEL_GS_BASE", "STAR", "LSTAR", "FMASK", "TSC_AUX"];
const FIELDS: Readonly<Record<string, readonly number[]>> = {
  RSP: [0x681c],
  RIP: [0x681e],
  RFLAGS: [0x6820],
  CR0: [0x6004, 0x6800],
  CR3: [0x6802],
  CR4: [0x6006, 0x6804],
  DR7: [0x681a],
  EFER: [0x2806],
  PAT: [0x2804],
  SYSENTER_CS: [0x482a],
  SYSENTER_ESP: [0x6824],
  SYSENTER_EIP: [0x6826],
  "GDTR.base": [0x6816],
  "GDTR.limit": [0x4810],
  "IDTR.base": [0x6818],
  "IDTR.limit": [0x4812],
  activity: [0x4826],
  interruptibility: [0x4824],
  ...Object.fromEntries([0, 1, 2, 3].map((n) => [`PDPTE${n}`, [0x280a + 2 * n]])),
  ...Object.fromEntries(
    SEGMENTS.flatMap((name, n) => [
      [`${name}.selector`, [0x800 + 2 * n]],
      [`${name}.limit`, [0x4800 + 2 * n]],
      [`${name}.access`, [0x4814 + 2 * n]],
      [`${name}.base`, [0x6806 + 2 * n]],
    ]),
  ),
};
/** All that is compared. */
const COMPARED = [
  ...GPR_NAMES,
  ...Object.keys(FIELDS).filter((name) => !name.startsWith("PDPTE") && name !== "interruptibility"),
  ...LIVE,
];

export async function buildHypervisor(): Promise<VmmImage> {
  const folder = "packages/vmm/guest",
    entry = "cast-off/cast-off.test-entry.ts",
    sources: Record<string, string> = {};
  const collect = (name: string) => {
    if (sources[name] !== undefined) return;
    sources[name] = readFileSync(`${folder}/${name}`, "utf8");
    for (const [, target] of sources[name].matchAll(/\bfrom "(\.[^"]+)"/g))
      collect(posix.join(posix.dirname(name), target!));
  };
  collect(entry);
  return await buildVmm({ sources, entry });
}

class Run {
  readonly guest: Guest;
  readonly cpu: Cpu;
  printed = "";
  done = false;

  constructor(guest: Guest) {
    this.guest = guest;
    const write = (port: number, _bytes: number, value: number) => {
      if (port === DEBUG) this.printed += String.fromCharCode(value & 0xff);
      if (port !== DONE) return;
      this.done = true;
      this.cpu.stop();
    };
    this.cpu = new Cpu({ memory: RAM, model: MODEL, patience: 2, ports: { read: () => 0xffffffff, write } });
    for (const [at, bytes] of guest.memory) this.cpu.write(at, bytes);
  }
  set(name: string): void {
    const value = this.guest.registers[name];
    if (value !== undefined) this.cpu.set(name, Long.fromString(BigInt.asUintN(64, BigInt(value)).toString(), true));
  }
  raiseNmi(): void {
    const cpu = this.cpu.processors[0]!;
    cpu.setU32(S.PENDING, cpu.u32(S.PENDING) | PENDING_NMI);
    cpu.attend();
  }
  finish(): void {
    const stop = this.cpu.run({ instructions: 40_000_000, nanoseconds: 2e9 });
    if (!this.done) {
      const rip = this.cpu.get("RIP").toString(16);
      throw new Error(`the program did not end: ${stop.reason} ${stop.detail} at ${rip}, printed "${this.printed}"`);
    }
  }
  get outcome(): Outcome {
    const registers = Object.fromEntries(COMPARED.map((name) => [name, this.cpu.get(name).toString(16)]));
    return { registers, ram: this.cpu.read(0, BASE), printed: this.printed };
  }
}

export function runBare(guest: Guest): Outcome {
  const run = new Run(guest);
  run.cpu.enter("real", 0);
  for (const name of Object.keys(guest.registers)) run.set(name);
  run.finish();
  return run.outcome;
}

/**
 * @param cut how long the guest runs before the hypervisor begins to leave, in units of 32 ns
 * @param options `nmi`: one comes right after VMXOFF
 */
export function runCastOff(
  image: VmmImage,
  guest: Guest,
  cut: number,
  { last = false, nmi = false }: { last?: boolean; nmi?: boolean } = {},
): CastOffOutcome {
  const run = new Run(guest),
    { cpu } = run;
  load(cpu, image);
  for (const name of LIVE) run.set(name);
  if (nmi) cpu.probes.vmxOperation.on(({ on }) => on || run.raiseNmi());
  cpu.write(PLAN, plan(guest, cut, last));
  run.finish();
  const report = new DataView(cpu.read(REPORT, 48).buffer);
  return {
    ...run.outcome,
    exits: report.getUint32(0, true),
    refusals: REFUSALS.map((_, n) => report.getUint32(4 + 4 * n, true)),
    cached: cachedIn(cpu),
    isLocked: cpu.read(BASE + new DataView(cpu.read(LOCK, 4).buffer).getUint32(0, true), 1)[0] !== 0,
    remains: [...pagesIn(cpu, BASE, RAM), ...pagesIn(cpu, LOW[0], LOW[1])],
    isVirtualized: cpu.processors[0]!.vmx.operation !== 0,
  };
}

function cachedIn(cpu: Cpu): string[] {
  const { entries, spaces, realms } = cpu.processors[0]!.access.tlb.save();
  return entries
    .filter(([, , low, , , page]) => {
      const group = (low >>> 4) & 0xff,
        isOwn = realms[group]?.[0] === 0 && spaces[group] !== "";
      return isOwn && page >= BASE / PAGE && page < RAM / PAGE;
    })
    .map(([, , low, high, , page]) => `${high.toString(16)}:${(low >>> 12).toString(16)} is ${page.toString(16)}`);
}
/** Numbers of the pages, from the first address on, that are not all zeros. */
function pagesIn(cpu: Cpu, first: number, end: number): number[] {
  const bytes = Buffer.from(cpu.read(first, end - first)),
    blank = Buffer.alloc(0x1000);
  return Array.from({ length: bytes.length >> 12 }, (_, n) => n).filter(
    (n) => bytes.compare(blank, 0, 0x1000, n << 12, (n + 1) << 12) !== 0,
  );
}

const word = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
/** As a multiboot loader does. */
function load(cpu: Cpu, { bytes, entry }: VmmImage): void {
  const file = new DataView(bytes.buffer, bytes.byteOffset);
  for (let n = 0; n < file.getUint16(44, true); n++) {
    const [, offset, , address, size] = [0, 4, 8, 12, 16].map((at) => file.getUint32(52 + 32 * n + at, true));
    cpu.write(address!, bytes.subarray(offset!, offset! + size!));
  }
  const entries = [20, IMAGE[0], 0, RAM - IMAGE[0], 0, 1].flatMap(word);
  const information = [
    ...word(1 << 6),
    ...Array<number>(40).fill(0),
    ...word(entries.length),
    ...word(INFORMATION + 0x100),
  ];
  cpu.write(INFORMATION, information);
  cpu.write(INFORMATION + 0x100, entries);
  cpu.enter("protected32", entry);
  cpu.set("RAX", 0x2badb002);
  cpu.set("RBX", INFORMATION);
}

function plan({ registers }: Guest, cut: number, last: boolean): Uint8Array {
  const bytes = new Uint8Array(0x1000),
    view = new DataView(bytes.buffer);
  let count = 0;
  for (const [name, value] of Object.entries(registers)) {
    const n = GPR_NAMES.indexOf(name),
      whole = BigInt.asUintN(64, BigInt(value));
    if (n >= 0) view.setBigUint64(16 + 8 * n, whole, true);
    for (const [i, field] of (FIELDS[name] ?? []).entries()) {
      const fixed = i === 0 ? 0n : name === "CR0" ? 0x20n : 0x2000n;
      view.setUint32(144 + 16 * count, field, true);
      view.setBigUint64(144 + 16 * count++ + 8, whole | fixed, true);
    }
  }
  view.setUint32(0, cut, true);
  view.setUint32(4, last ? 1 : 0, true);
  view.setUint32(8, count, true);
  return bytes;
}

/** What is not the same, in words; memory that only the hypervisor's loader used is left out. */
export function differences(wanted: Outcome, got: Outcome, { scratch = [] }: Guest): string[] {
  const wrong = COMPARED.filter((name) => wanted.registers[name] !== got.registers[name]).map(
    (name) => `${name} is ${got.registers[name]}, not ${wanted.registers[name]}`,
  );
  for (let page = 0; page < wanted.ram.length; page += PAGE) {
    if ((page >= PLAN && page < INFORMATION + PAGE) || (page >= IMAGE[0] && page < IMAGE[1])) continue;
    if (scratch.includes(page)) continue;
    const [a, b] = [wanted.ram.subarray(page, page + PAGE), got.ram.subarray(page, page + PAGE)];
    if (Buffer.compare(a, b) === 0) continue;
    const at = a.findIndex((byte, n) => byte !== b[n]);
    wrong.push(`the byte at ${(page + at).toString(16)} is ${b[at]}, not ${a[at]}`);
  }
  if (wanted.printed !== got.printed) wrong.push(`"${got.printed}" was printed, not "${wanted.printed}"`);
  return wrong;
}

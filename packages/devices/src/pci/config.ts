/**
 * Configuration space of a PCI function: the type 0 header, base address registers and capabilities as a checked
 * register map [PCI 3.0 6.1, 6.2, 6.7].
 */
import { assert, bits, isPowerOfTwo, type Register, ro, rw } from "@castaway/kit";

/** What a function decodes with one base address register. Sizes are powers of two. */
export type Bar = {
  readonly kind: "memory" | "io";
  /** In bytes: memory 16 or more, I/O 4 to 256. */
  readonly size: number;
  readonly prefetchable?: boolean;
  /** An address of 64 bits: takes the following base address register too. */
  readonly wide?: boolean;
};

/** Numbers of the base address registers. */
export type BarIndex = 0 | 1 | 2 | 3 | 4 | 5;

/** One entry of the capability list [PCI 3.0 6.7]. */
export type Capability<N extends string = string> = {
  /** Capability id: 05 is MSI. */
  readonly id: number;
  /** Where it stands: a multiple of 4, from 40 on. */
  readonly at: number;
  /** Its registers beyond id and next pointer, by their offset in configuration space. */
  readonly registers: Record<N, Register>;
};

/** What is fixed about a function. */
export type Identity = {
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Base class, sub-class and programming interface, 24 bits: 0x010601 is AHCI. */
  readonly classCode: number;
  /** 1AF4 unless given. */
  readonly subsystemVendor?: number;
  /** 1100 unless given. */
  readonly subsystem?: number;
  /** The command register after reset. 0 unless given. */
  readonly command?: number;
  /** Bits of the status register that are always set, such as the speed of DEVSEL#. */
  readonly status?: number;
  /** Header type bit 7: the device has more than one function. */
  readonly multifunction?: boolean;
  /** 1 to 4 for INTA# to INTD#; 0, and unless given, for none. */
  readonly interruptPin?: number;
  readonly bars?: { readonly [index in BarIndex]?: Bar };
  /** Size of the expansion ROM in bytes, 2 KiB or more. No expansion ROM unless given. */
  readonly rom?: number;
  /** In the order of the list. */
  readonly capabilities?: readonly Capability[];
};

export const COMMAND = { IO: 1 << 0, MEMORY: 1 << 1, MASTER: 1 << 2, INTX_DISABLE: 1 << 10 };
export const STATUS = { INTERRUPT: 1 << 3, CAPABILITIES: 1 << 4 };
/** A memory or I/O register's low bits are no address [PCI 3.0 6.2.5.1]. */
export const BAR = { IO: 1, WIDE: 4, PREFETCHABLE: 8 };
/** Expansion ROM base address: bit 0 enables decoding [PCI 3.0 6.2.5.2]. */
export const ROM_ENABLE = 1;

export type HeaderRegister =
  | "VENDOR"
  | "DEVICE"
  | "COMMAND"
  | "STATUS"
  | "REVISION"
  | "PROG_IF"
  | "CLASS"
  | "CACHE_LINE"
  | "LATENCY"
  | "HEADER"
  | "BAR0"
  | "BAR1"
  | "BAR2"
  | "BAR3"
  | "BAR4"
  | "BAR5"
  | "SUBSYSTEM_VENDOR"
  | "SUBSYSTEM"
  | "ROM"
  | "CAPABILITIES"
  | "INTERRUPT_LINE"
  | "INTERRUPT_PIN";

/** The rows of a type 0 header and of the capabilities' ids and pointers. */
export function headerRows(identity: Identity): Record<HeaderRegister, Register> {
  const { revision = 0, classCode, subsystemVendor = 0x1af4, subsystem = 0x1100, interruptPin = 0 } = identity;
  const { capabilities = [], rom = 0, multifunction = false } = identity;
  assert(rom === 0 || (isPowerOfTwo(rom) && rom >= 0x800), "an expansion ROM is a power of two of 2 KiB or more", {
    rom,
  });
  const first = capabilities.length > 0 ? capabilities[0].at : 0;
  const status = (identity.status ?? 0) | (capabilities.length > 0 ? STATUS.CAPABILITIES : 0);
  // biome-ignore format: a table
  return {
    VENDOR:           ro(0x00, identity.vendor, "PCI 6.2.1", { size: 2 }),
    DEVICE:           ro(0x02, identity.device, "PCI 6.2.1", { size: 2 }),
    COMMAND:          rw(0x04, 0x0547, "PCI 6.2.2", { size: 2, reset: identity.command ?? 0 }),
    STATUS:           bits(0x06, { w1c: 0xf900 }, "PCI 6.2.3", { size: 2, reset: status }),
    REVISION:         ro(0x08, revision, "PCI 6.2.1", { size: 1 }),
    PROG_IF:          ro(0x09, classCode & 0xff, "PCI 6.2.1", { size: 1 }),
    CLASS:            ro(0x0a, classCode >>> 8, "PCI 6.2.1", { size: 2 }),
    CACHE_LINE:       rw(0x0c, 0xff, "PCI 6.2.4", { size: 1 }),
    LATENCY:          rw(0x0d, 0xf8, "PCI 6.2.4", { size: 1 }),
    HEADER:           ro(0x0e, multifunction ? 0x80 : 0, "PCI 6.2.1", { size: 1 }),
    ...barRows(identity.bars ?? {}),
    SUBSYSTEM_VENDOR: ro(0x2c, subsystemVendor, "PCI 6.2.4", { size: 2 }),
    SUBSYSTEM:        ro(0x2e, subsystem, "PCI 6.2.4", { size: 2 }),
    ROM:              rw(0x30, rom === 0 ? 0 : (-rom | ROM_ENABLE) >>> 0, "PCI 6.2.5.2"),
    CAPABILITIES:     ro(0x34, first, "PCI 6.7", { size: 1 }),
    INTERRUPT_LINE:   rw(0x3c, 0xff, "PCI 6.2.4", { size: 1 }),
    INTERRUPT_PIN:    ro(0x3d, interruptPin, "PCI 6.2.4", { size: 1 }),
  };
}

type BarRegister = "BAR0" | "BAR1" | "BAR2" | "BAR3" | "BAR4" | "BAR5";

/** Address bits below the size are 0 whatever is written: that is how software finds the size [PCI 3.0 6.2.5.1]. */
function barRows(bars: { readonly [index in BarIndex]?: Bar }): Record<BarRegister, Register> {
  const rows: Register[] = [];
  for (let index = 0; index < 6; index++) {
    const offset = 0x10 + 4 * index;
    const bar = bars[index as BarIndex];
    const below = index > 0 ? bars[(index - 1) as BarIndex] : undefined;
    if (below?.wide) {
      assert(bar === undefined, "a base address register of 64 bits takes two", { index });
      rows.push(rw(offset, highMask(below.size), "PCI 6.2.5.1"));
    } else if (bar === undefined) {
      rows.push(ro(offset, 0, "PCI 6.2.5.1"));
    } else {
      checkBar(index, bar);
      const type = (bar.wide ? BAR.WIDE : 0) | (bar.prefetchable ? BAR.PREFETCHABLE : 0);
      const reset = bar.kind === "io" ? BAR.IO : type;
      rows.push(rw(offset, bar.size > 0xffffffff ? 0 : -bar.size >>> 0, "PCI 6.2.5.1", { reset }));
    }
  }
  const [BAR0, BAR1, BAR2, BAR3, BAR4, BAR5] = rows;
  return { BAR0, BAR1, BAR2, BAR3, BAR4, BAR5 };
}

/** The address bits of the upper half that are not below the size. */
function highMask(size: number): number {
  return size <= 0x1_0000_0000 ? 0xffffffff : -(size / 0x1_0000_0000) >>> 0;
}

function checkBar(index: number, bar: Bar): void {
  const { kind, size, prefetchable = false, wide = false } = bar;
  const fits = kind === "io" ? size >= 4 && size <= 256 && !prefetchable && !wide : size >= 16;
  const right = isPowerOfTwo(size) && fits && (size <= 0x8000_0000 || wide) && !(wide && index === 5);
  assert(right, "a base address register decodes what PCI allows", { index, ...bar });
}

/** The rows of a capability list: of each entry its id and the pointer to the next, and its own registers. */
export function capabilityRows(capabilities: readonly Capability[]): Record<string, Register> {
  const rows: Record<string, Register> = {};
  for (const [index, { id, at, registers }] of capabilities.entries()) {
    assert(at >= 0x40 && at <= 0xfc && at % 4 === 0, "a capability stands at a multiple of 4 from 40 on", { id, at });
    const next = capabilities[index + 1]?.at ?? 0;
    rows[`CAPABILITY_${at.toString(16).toUpperCase()}`] = ro(at, id | (next << 8), "PCI 6.7", { size: 2 });
    Object.assign(rows, registers);
  }
  return rows;
}

export type MsiRegister = "MSI_CONTROL" | "MSI_ADDRESS" | "MSI_ADDRESS_HIGH" | "MSI_DATA";
export type MsiMaskRegister = "MSI_MASK" | "MSI_PENDING";
export const MSI_ID = 0x05;
export const MSI_CONTROL = { ENABLE: 1 << 0, WIDE: 1 << 7, MASKABLE: 1 << 8 };

/**
 * Message-signalled interrupts with one message and an address of 64 bits [PCI 3.0 6.8.1].
 * @param maskable with mask and pending bits
 */
export function msiCapability(at: number, { maskable = false } = {}): Capability<MsiRegister | MsiMaskRegister> {
  const control = MSI_CONTROL.WIDE | (maskable ? MSI_CONTROL.MASKABLE : 0);
  // biome-ignore format: a table
  const registers: Record<string, Register> = {
    MSI_CONTROL:      rw(at + 0x02, 0x0071, "PCI 6.8.1.3", { size: 2, reset: control }),
    MSI_ADDRESS:      rw(at + 0x04, 0xfffffffc, "PCI 6.8.1.4"),
    MSI_ADDRESS_HIGH: rw(at + 0x08, 0xffffffff, "PCI 6.8.1.5"),
    MSI_DATA:         rw(at + 0x0c, 0xffff, "PCI 6.8.1.6", { size: 2 }),
  };
  if (maskable) {
    registers.MSI_MASK = rw(at + 0x10, 1, "PCI 6.8.1.7");
    registers.MSI_PENDING = ro(at + 0x14, 0, "PCI 6.8.1.8");
  }
  return { id: MSI_ID, at, registers };
}

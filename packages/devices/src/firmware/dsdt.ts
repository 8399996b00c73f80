/**
 * The board's differentiated system description: data only, with PCI's interrupts hard-wired, as SeaBIOS routes them.
 * dsdt.asl beside this file is the same in ASL; the tests compare these bytes with what the ASL compiler makes of that.
 */
import {
  device,
  doubleWords,
  eisaId,
  integer,
  io,
  irqNoFlags,
  name,
  packageOf,
  resources,
  SPACE,
  scope,
  words,
} from "./aml.ts";

export type DsdtOptions = {
  /** PCI slots whose interrupts are told. 2 to 6 unless given. */
  readonly slots?: readonly number[];
  /** The first serial port. Unless given, it is there. */
  readonly com1?: boolean;
  /** Keyboard and mouse at the 8042. Unless given, they are there. */
  readonly keyboard?: boolean;
  readonly mouse?: boolean;
};

/** What SeaBIOS writes to PIRQRC: PIRQA# to PIRQD# are IRQs 10, 10, 11, 11. */
const PIRQ = [10, 10, 11, 11];
/** Power management, in slot 1, asks at the SCI. */
const SCI = 9;

/** The definition block's terms. */
export function dsdtTerms({
  slots = [2, 3, 4, 5, 6],
  com1 = true,
  keyboard = true,
  mouse = true,
}: DsdtOptions = {}): Uint8Array {
  const isa = [
    device("RTC", hid("PNP0B00"), name("_CRS", resources(io(0x70, 1, 2), irqNoFlags(8)))),
    ...(keyboard
      ? [device("KBD", hid("PNP0303"), name("_CRS", resources(io(0x60, 1, 1), io(0x64, 1, 1), irqNoFlags(1))))]
      : []),
    ...(mouse ? [device("MOU", hid("PNP0F13"), name("_CRS", resources(irqNoFlags(12))))] : []),
    ...(com1
      ? [
          device(
            "COM1",
            hid("PNP0501"),
            name("_UID", integer(1)),
            name("_CRS", resources(io(0x3f8, 0, 8), irqNoFlags(4))),
          ),
        ]
      : []),
  ];
  const host = device(
    "PCI0",
    hid("PNP0A03"),
    name("_ADR", integer(0)),
    name("_UID", integer(0)),
    name("_CRS", windows()),
    name("_PRT", interrupts(slots)),
    device("ISA", name("_ADR", integer(0x00010000)), ...isa),
  );
  const soft = packageOf(integer(0), integer(0), integer(0), integer(0)); // SLP_TYP 0 is soft off
  return new Uint8Array([...name("_S5", soft), ...scope("_SB", host)]);
}

const hid = (id: string): Uint8Array => name("_HID", eisaId(id));

/** What the host bridge passes on to PCI. */
function windows(): Uint8Array {
  return resources(
    words(SPACE.BUS, 0, 0xff),
    io(0xcf8, 1, 8),
    words(SPACE.IO, 0x0000, 0x0cf7),
    words(SPACE.IO, 0x0d00, 0xffff),
    doubleWords(SPACE.CACHEABLE_MEMORY, 0xa0000, 0xbffff),
    doubleWords(SPACE.MEMORY, 0xe0000000, 0xfebfffff),
  );
}

/** For every slot and pin the input of the I/O APIC: pins rotate from slot to slot [ACPI 6.2.13]. */
function interrupts(slots: readonly number[]): Uint8Array {
  const entry = (slot: number, pin: number, gsi: number) =>
    packageOf(integer(((slot << 16) | 0xffff) >>> 0), integer(pin), integer(0), integer(gsi));
  const wired = slots.flatMap((slot) => [0, 1, 2, 3].map((pin) => entry(slot, pin, PIRQ[(slot + pin - 1) & 3])));
  return packageOf(entry(1, 0, SCI), ...wired);
}

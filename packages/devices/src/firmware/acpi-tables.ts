/**
 * ACPI tables of the board: three files of fw_cfg from which the firmware makes RSDP, RSDT, FADT, FACS, MADT and DSDT
 * [ACPI 5.2]. The loader's script says where they lie, which fields point where, and which checksums to compute.
 *
 *     new FwCfg({ files: { ...acpiFiles({ cpus: 4 }), .. } })
 */
import { assert, ConfigError } from "@castaway/kit";
import { type DsdtOptions, dsdtTerms } from "./dsdt.ts";
import { ascii, concat, little } from "./fw-cfg.ts";

export type AcpiOptions = DsdtOptions & {
  /** Processors, whose local APIC ids are 0, 1, ..: 1 to 16. */
  readonly cpus: number;
  /** Where the firmware puts the power management ports. 600 unless given, which is SeaBIOS' when there are tables. */
  readonly pmBase?: number;
};

const TABLES = "etc/acpi/tables";
const RSDP = "etc/acpi/rsdp";
const LOADER = "etc/table-loader";

const OEM = "CASTAW";
const OEM_TABLE = "CASTAWAY";
const CREATOR = "CSTW";
const HEADER = 36;
/** Where in a table its checksum is. */
const CHECKSUM = 9;

/** The files by their names. */
export function acpiFiles(options: AcpiOptions): Record<string, Uint8Array> {
  const { cpus, pmBase = 0x600 } = options;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > 16) throw new ConfigError("cpus", cpus, "1 to 16");
  const tables = new Tables();
  const facs = tables.add(concat(ascii("FACS"), little(64, 4), new Uint8Array(56)));
  const dsdt = tables.addTable("DSDT", dsdtTerms(options), []);
  const fadt = tables.addTable("FACP", fadtBody(facs, dsdt, pmBase), [36, 40]);
  const madt = tables.addTable("APIC", madtBody(cpus), []);
  const rsdt = tables.addTable("RSDT", concat(little(fadt, 4), little(madt, 4)), [36, 40]);
  const rsdp = concat(ascii("RSD PTR "), Uint8Array.of(0), ascii(OEM), Uint8Array.of(0), little(rsdt, 4));
  const loader = concat(
    allocate(RSDP, 16, "f-segment"),
    allocate(TABLES, 64, "high"),
    ...tables.pointers.map((at) => addPointer(TABLES, at)), // before the checksums that cover them
    ...tables.checksums.map(([at, length]) => addChecksum(TABLES, at + CHECKSUM, at, length)),
    addPointer(RSDP, 16),
    addChecksum(RSDP, 8, 0, 20),
  );
  return { [TABLES]: tables.file(), [RSDP]: rsdp, [LOADER]: loader };
}

/** The file of tables. Pointers in it are offsets into it; the loader adds where it lies. */
class Tables {
  /** Where pointers of 4 bytes are. */
  readonly pointers: number[] = [];
  /** Where tables with a checksum are, and how long. */
  readonly checksums: [at: number, length: number][] = [];
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Appends bytes as they are. @returns where they are */
  add(part: Uint8Array): number {
    const at = this.#length;
    this.#parts.push(part);
    this.#length += part.length;
    return at;
  }
  /** Appends a table with a header [ACPI 5.2.6]; `pointers` are offsets in the table. @returns where it is */
  addTable(signature: string, body: Uint8Array, pointers: readonly number[]): number {
    const length = HEADER + body.length;
    const header = concat(
      ascii(signature),
      little(length, 4),
      Uint8Array.of(1, 0), // revision; checksum, by the loader
      ascii(OEM + OEM_TABLE),
      little(1, 4),
      ascii(CREATOR),
      little(1, 4),
    );
    assert(header.length === HEADER, "an ACPI table has a header of 36 bytes", { signature });
    const at = this.add(concat(header, body));
    this.pointers.push(...pointers.map((offset) => at + offset));
    this.checksums.push([at, length]);
    return at;
  }
  /** Whole pages. */
  file(): Uint8Array {
    const bytes = new Uint8Array((this.#length + 0xfff) & ~0xfff);
    bytes.set(concat(...this.#parts));
    return bytes;
  }
}

/** Fixed ACPI description table of revision 1 [ACPI 1.0 5.2.5]. */
function fadtBody(facs: number, dsdt: number, pm: number): Uint8Array {
  const FLAGS = { WBINVD: 1 << 0, PROC_C1: 1 << 2, SLP_BUTTON: 1 << 5, RTC_S4: 1 << 7, USE_PLATFORM_CLOCK: 1 << 15 };
  const { WBINVD, PROC_C1, SLP_BUTTON, RTC_S4, USE_PLATFORM_CLOCK } = FLAGS;
  // biome-ignore format: a table
  return concat(
    little(facs, 4), little(dsdt, 4),
    Uint8Array.of(1, 0),                                  // there are 8259s too
    little(9, 2),                                         // SCI_INT
    little(0xb2, 4), Uint8Array.of(0xf1, 0xf0, 0, 0),     // SMI_CMD, ACPI_ENABLE, ACPI_DISABLE
    little(pm, 4), little(0, 4),                          // PM1a_EVT_BLK
    little(pm + 4, 4), little(0, 4),                      // PM1a_CNT_BLK
    little(0, 4), little(pm + 8, 4),                      // PM_TMR_BLK
    little(0xafe0, 4), little(0, 4),                      // GPE0_BLK
    Uint8Array.of(4, 2, 0, 4, 4, 0, 0, 0),                // lengths of these blocks
    little(0xfff, 2), little(0xfff, 2), little(0, 4),     // no C2, no C3; flushes
    Uint8Array.of(0, 0, 0, 0, 0x32, 0, 0, 0),             // the RTC's century is in byte 32
    little(WBINVD | PROC_C1 | SLP_BUTTON | RTC_S4 | USE_PLATFORM_CLOCK, 4),
  );
}

/** Multiple APIC description table [ACPI 5.2.12]. */
function madtBody(cpus: number): Uint8Array {
  const HIGH_LEVEL = 0x0d; // active high, level-triggered
  const localApic = (id: number) => concat(Uint8Array.of(0, 8, id, id), little(1, 4));
  const override = (irq: number, gsi: number, flags: number) =>
    concat(Uint8Array.of(2, 10, 0, irq), little(gsi, 4), little(flags, 2));
  return concat(
    little(0xfee00000, 4),
    little(1, 4), // there are 8259s too
    ...Array.from({ length: cpus }, (_, id) => localApic(id)),
    concat(Uint8Array.of(1, 12, 0, 0), little(0xfec00000, 4), little(0, 4)), // I/O APIC 0, from interrupt 0 on
    override(0, 2, 0), // the 8254 is input 2
    ...[5, 9, 10, 11].map((irq) => override(irq, irq, HIGH_LEVEL)),
    concat(Uint8Array.of(4, 6, 0xff), little(0, 2), Uint8Array.of(1)), // NMI at LINT1 of all
  );
}

// ---- the loader's script: commands of 128 bytes ----

const fileName = (name: string): Uint8Array => concat(ascii(name), new Uint8Array(56 - name.length));
const command = (id: number, ...parts: Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(128);
  bytes.set(concat(little(id, 4), ...parts));
  return bytes;
};
/** Load a file, so aligned, into that part of memory. */
const allocate = (file: string, align: number, zone: "high" | "f-segment"): Uint8Array =>
  command(1, fileName(file), little(align, 4), little(zone === "high" ? 1 : 2, 1));
/** Add the address of the tables to 4 bytes of a file. */
const addPointer = (file: string, at: number): Uint8Array =>
  command(2, fileName(file), fileName(TABLES), little(at, 4), little(4, 1));
/** Set a byte of a file so that a range of it adds up to 0. */
const addChecksum = (file: string, at: number, start: number, length: number): Uint8Array =>
  command(3, fileName(file), little(at, 4), little(start, 4), little(length, 4));

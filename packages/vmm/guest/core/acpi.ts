/** Which processors there are: the firmware's Multiple APIC Description Table [ACPI 5.2.5, 5.2.12]. */
import { physRead8, physRead16, physRead32, physRead64 } from "../x86.ts";

/** Of an address, as it stands in memory. */
const RSDP_SIGNATURE: u64 = 0x2052_5450_2044_5352; // "RSD PTR "
const MADT_SIGNATURE: u32 = 0x4349_5041; // "APIC"
const EBDA_SEGMENT: u64 = 0x40e;
const BIOS_AREA: u64 = 0xe0000;
const BIOS_END: u64 = 0x100000;
/** Offsets in the RSDP, in every table, in the MADT and its entries. */
const RSDT_ADDRESS: u64 = 16;
const LENGTH: u64 = 4;
const HEADER_BYTES: u64 = 36;
const MADT_ENTRIES: u64 = 44;
const LOCAL_APIC: u32 = 0;
const LOCAL_X2APIC: u32 = 9;
const ENABLED: u32 = 1;
/** Longer tables are not believed. */
const LONGEST: u64 = 0x10000;

/** Notes APIC ids of processors that can be used. @param ids room for `most` @returns how many there are, at most `most` */
export function findProcessors(ids: StaticArray<u32>, most: u32): u32 {
  const madt = findMadt();
  if (madt === 0) return 0;
  const end = madt + min<u64>(physRead32(madt + LENGTH), LONGEST);
  let count: u32 = 0;
  for (let at = madt + MADT_ENTRIES; at + 2 <= end && physRead8(at + 1) !== 0; at += physRead8(at + 1)) {
    const type = physRead8(at),
      isLong = type === LOCAL_X2APIC;
    if (type !== LOCAL_APIC && !isLong) continue;
    if ((physRead32(at + (isLong ? 8 : 4)) & ENABLED) === 0 || count >= most) continue;
    ids[count++] = isLong ? physRead32(at + 4) : physRead8(at + 3);
  }
  return count;
}

function findMadt(): u64 {
  const rsdp = findRsdp();
  if (rsdp === 0) return 0;
  const rsdt: u64 = physRead32(rsdp + RSDT_ADDRESS),
    end = rsdt + min<u64>(physRead32(rsdt + LENGTH), LONGEST);
  for (let at = rsdt + HEADER_BYTES; at + 4 <= end; at += 4) {
    const table: u64 = physRead32(at);
    if (physRead32(table) === MADT_SIGNATURE) return table;
  }
  return 0;
}
/** At 16-byte boundaries in the first KiB of the EBDA, and in the BIOS's read-only area [ACPI 5.2.5.1]. */
function findRsdp(): u64 {
  const ebda = (<u64>physRead16(EBDA_SEGMENT)) << 4;
  const found = ebda === 0 ? 0 : search(ebda, ebda + 1024);
  return found !== 0 ? found : search(BIOS_AREA, BIOS_END);
}
function search(first: u64, end: u64): u64 {
  for (let at = first; at < end; at += 16) if (physRead64(at) === RSDP_SIGNATURE && sumOf(at, 20) === 0) return at;
  return 0;
}
/** Bytes of a table add up to 0. */
function sumOf(at: u64, bytes: u64): u32 {
  let sum: u32 = 0;
  for (let i: u64 = 0; i < bytes; i++) sum += physRead8(at + i);
  return sum & 0xff;
}

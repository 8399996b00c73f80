/** Who is where on the network that is fuzzed: for those who build it, who attack it, and who check it. */
export const hostMacs = [0x5254_0000_0001, 0x5254_0000_0002] as const;
export const hostIps = [0x0a00_0201, 0x0a00_0202] as const;
export const pool = { first: 0x0a00_0264, last: 0x0a00_0277 } as const;
export const fixedIp = 0x0a00_0232;
export const fixedMac = 0x5254_00aa_0001;
export const aoeMac = 0x5254_0000_00ae;
export const shelf = 1;
/** Slots of the target that all may write, and of the one that nobody may. */
export const [writableSlot, readOnlySlot] = [2, 3];
export const diskSectors = 256;
/** Of station `n`. */
export const stationMac = (n: number): number => 0x5254_00aa_0001 + n;
export const stationIp = (n: number): number => 0x0a00_020a + n;
/** Echoed by the stations that are machines. */
export const echoType = 0x88b5;
export const files = { "boot.ipxe": 100, "kernel/vmm.elf": 5000, empty: 0, even: 1024 } as const;

/** Byte n of sector s of a disk; sectors 64 to 127 are zeros. */
export const diskByte = (sector: number, n: number): number =>
  sector >= 64 && sector < 128 ? 0 : (sector * 7 + n) % 251;

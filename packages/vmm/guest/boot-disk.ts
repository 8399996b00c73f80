/** On with the boot sector of the first disk, as if nothing had been in between: by a guest, or by the machine itself. */
import { addr_bootDisk, addr_bootDiskEnd, addr_startGuest, addr_startGuestEnd, cli, jump } from "./x86.ts";

/** Its linear address is its physical one. */
const REAL_MODE_PAGE: usize = 0x9d000;
/** Where the guest begins in real mode, at offset 0: {@link placeStart} puts there what boots the disk. */
export const START_SEGMENT: u64 = <u64>REAL_MODE_PAGE >> 4;

/** Puts the guest's first instructions in their place. */
export function placeStart(): void {
  memory.copy(REAL_MODE_PAGE, addr_startGuest(), addr_startGuestEnd() - addr_startGuest());
}

/** Back to real mode for good, without VMX. Never comes back. */
export function bootDisk(): void {
  cli();
  memory.copy(REAL_MODE_PAGE, addr_bootDisk(), addr_bootDiskEnd() - addr_bootDisk());
  jump(REAL_MODE_PAGE, 0);
}

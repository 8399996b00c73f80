/** Back to real mode for good, and on with the boot sector of the first disk, as if nothing had been in between. */
import { addr_bootDisk, addr_bootDiskEnd, cli, jump } from "./x86.ts";

/** Its linear address is its physical one. */
const REAL_MODE_PAGE: usize = 0x9d000;

/** Never comes back. */
export function bootDisk(): void {
  cli();
  memory.copy(REAL_MODE_PAGE, addr_bootDisk(), addr_bootDiskEnd() - addr_bootDisk());
  jump(REAL_MODE_PAGE, 0);
}

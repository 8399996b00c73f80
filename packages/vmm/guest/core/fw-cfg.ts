/**
 * fw_cfg, by which QEMU tells its guest what the machine is made of, can write to memory as a device does, wherever a
 * guest wants it to (R8.3). So a guest's request is copied, checked, and made from here. [QEMU docs/specs/fw_cfg]
 *
 * A request is 16 bytes, all big-endian: control, length, address. It is made by writing its own address to two ports,
 * the lower half last; control becomes 0 when it is done, or 1 if it failed.
 */
import { PortMediator } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { allocate, physicalOf } from "../memory.ts";
import { isGuestMemory, touchesVmm } from "../storage/guard.ts";
import { in32, out32, physCopy, physRead32, physWrite32 } from "../x86.ts";
import { readPort } from "./port-exits.ts";

const HIGH: u32 = 0x514;
const LOW: u32 = 0x518;
const PORTS: u32 = 8;
const BYTES: u32 = 16;
const LENGTH: u64 = 4;
const ADDRESS_HIGH: u64 = 8;
const ADDRESS_LOW: u64 = 12;
/** What the ports read as, "QEMU CFG" in bytes. */
const SIGNATURE_HIGH: u32 = 0x554d4551;
const SIGNATURE_LOW: u32 = 0x47464320;
const ERROR: u32 = 1;
const READ: u32 = 2;
const WRITE: u32 = 16;
/** How often a request is looked at that the device does not answer at once. */
const PATIENCE: u32 = 100_000;

export class FwCfgDma extends PortMediator {
  /** The upper half of the address, as the guest wrote it. */
  private high: u32 = 0;
  /** The copy: physical. */
  private readonly request: u64 = physicalOf(allocate(BYTES, BYTES));

  read(port: u32, bytes: u32): u32 {
    return readPort(port, bytes);
  }
  write(port: u32, bytes: u32, value: u32): void {
    if (bytes !== 4) return;
    if (port === HIGH) this.high = bswap<u32>(value);
    else if (port === LOW) {
      this.run(((<u64>this.high) << 32) | bswap<u32>(value));
      this.high = 0;
    }
  }

  private run(at: u64): void {
    if (!isGuestMemory(at, BYTES)) return;
    const request = this.request;
    physCopy(request, at, BYTES);
    const control = bswap<u32>(physRead32(request)),
      length = bswap<u32>(physRead32(request + LENGTH)),
      address =
        ((<u64>bswap<u32>(physRead32(request + ADDRESS_HIGH))) << 32) | bswap<u32>(physRead32(request + ADDRESS_LOW));
    if ((control & (READ | WRITE)) !== 0 && touchesVmm(address, length)) {
      physWrite32(at, bswap<u32>(ERROR));
      return;
    }
    out32(HIGH, bswap<u32>(<u32>(request >> 32)));
    out32(LOW, bswap<u32>(<u32>request));
    let result = physRead32(request);
    for (let n: u32 = 0; n < PATIENCE && (bswap<u32>(result) & ~ERROR) !== 0; n++) result = physRead32(request);
    physWrite32(at, result);
  }
}

/** Boot. Does nothing on a machine without it. */
export function guardFwCfg(registry: Registry): void {
  if (in32(HIGH) !== SIGNATURE_HIGH || in32(LOW) !== SIGNATURE_LOW) return;
  registry.interceptPorts(HIGH, PORTS, new FwCfgDma());
}

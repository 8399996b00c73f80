/**
 * Between the guest and its AHCI controller: every access to the controller's registers comes here (8.1). All ports are
 * mediated, since any of them could point a device at the VMM's memory; one of them has the disk that is deployed.
 */
import { MmioMediator } from "../api/intercepts.ts";
import { mmioRead32, mmioWrite32 } from "../x86.ts";
import {
  CAP,
  CAP_CCCS,
  CCC_CTL,
  CCC_PORTS,
  GHC,
  GHC_HR,
  IS,
  mostPorts,
  PI,
  PxCI,
  PxIS,
  PxSACT,
  PxSERR,
  portStride,
  portsAt,
} from "./ahci.ts";
import { Shared } from "./command.ts";
import { Port } from "./port.ts";

export class AhciMediator extends MmioMediator {
  /** By number; null: not implemented. */
  readonly ports: StaticArray<Port | null> = new StaticArray<Port | null>(<i32>mostPorts);
  /** Behind the last that is implemented. */
  private portsEnd: i32 = 0;
  private readonly abar: u64;

  /** @param abar where the registers are: BAR 5 */
  constructor(abar: u64) {
    super();
    this.abar = abar;
    const implemented = mmioRead32(abar + PI);
    const shared = new Shared();
    for (let i: u32 = 0; i < mostPorts; i++) {
      if (((implemented >> i) & 1) === 0) continue;
      this.portsEnd = i + 1;
      this.ports[i] = new Port(abar + portsAt + i * portStride, shared);
    }
  }

  /** Boot: takes all ports over. @returns false: one of them does not stop */
  attach(): bool {
    let all = true;
    for (let i = 0; i < this.portsEnd; i++) {
      const port = this.ports[i];
      if (port !== null) all = port.attach() && all;
    }
    return all;
  }

  poll(now: u64): void {
    for (let i = 0; i < this.portsEnd; i++) {
      const port = unchecked(this.ports[i]);
      if (port !== null) port.poll(now);
    }
  }

  /** De-virtualization: the hardware is the guest's. To be asked again until it says true; then nothing comes here. */
  handBack(): bool {
    for (let i = 0; i < this.portsEnd; i++) {
      const port = unchecked(this.ports[i]);
      if (port !== null && !port.handBack()) return false;
    }
    return true;
  }

  /** Whether something is under way that does not wait for the guest. */
  get busy(): bool {
    for (let i = 0; i < this.portsEnd; i++) {
      const port = unchecked(this.ports[i]);
      if (port !== null && port.busy) return true;
    }
    return false;
  }

  /** Registers are read as whole words; 8 bytes are two of them, the low one first. */
  read(address: u64, bytes: u32): u64 {
    const offset = <u32>(address - this.abar);
    const low: u64 = this.readAt(offset & ~3);
    if (bytes === 8) return low | ((<u64>this.readAt((offset & ~3) + 4)) << 32);
    const value = low >> (8 * (offset & 3));
    return bytes === 4 ? value : value & (((<u64>1) << (8 * bytes)) - 1);
  }

  write(address: u64, bytes: u32, value: u64): void {
    const offset = <u32>(address - this.abar);
    if (bytes >= 4) {
      this.writeAt(offset & ~3, <u32>value);
      if (bytes === 8) this.writeAt((offset & ~3) + 4, <u32>(value >> 32));
      return;
    }
    const shift = 8 * (offset & 3);
    const mask = ((((<u32>1) << (8 * bytes)) - 1) << shift) as u32;
    const kept = writesOnes(offset & ~3) ? 0 : this.readAt(offset & ~3) & ~mask;
    this.writeAt(offset & ~3, kept | (((<u32>value) << shift) & mask));
  }

  /** One register, by its offset: a multiple of 4. */
  readAt(offset: u32): u32 {
    if (offset >= portsAt) {
      const port = this.portAt(offset);
      return port === null ? mmioRead32(this.abar + offset) : port.read((offset - portsAt) % portStride);
    }
    const value = mmioRead32(this.abar + offset);
    if (offset === CAP) return value & ~CAP_CCCS; // coalescing could hide that a command is over
    return offset === CCC_CTL || offset === CCC_PORTS ? 0 : value;
  }

  writeAt(offset: u32, value: u32): void {
    if (offset >= portsAt) {
      const port = this.portAt(offset);
      if (port !== null) port.write((offset - portsAt) % portStride, value);
      return; // ports that are not there take nothing
    }
    if (offset === CCC_CTL || offset === CCC_PORTS) return;
    if (offset === GHC && (value & GHC_HR) !== 0) this.reset();
    mmioWrite32(this.abar + offset, value);
  }

  /** HBA reset: all that the VMM has under way ends before it begins. [AHCI 10.4.3] */
  private reset(): void {
    for (let i = 0; i < this.portsEnd; i++) {
      const port = unchecked(this.ports[i]);
      if (port !== null) port.reset();
    }
  }

  private portAt(offset: u32): Port | null {
    const index = (offset - portsAt) / portStride;
    return index < mostPorts ? unchecked(this.ports[<i32>index]) : null;
  }
}

/** Registers where a zero bit changes nothing: parts of them are written without what stands beside. */
function writesOnes(offset: u32): bool {
  if (offset < portsAt) return offset === IS;
  const register = (offset - portsAt) % portStride;
  return register === PxIS || register === PxSERR || register === PxSACT || register === PxCI;
}

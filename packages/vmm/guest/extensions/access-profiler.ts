/**
 * Which parts of the disk a guest touches, and when: what an image needs first when it boots. To be compiled with the
 * hypervisor:
 *
 *     castaway vmm build --extension access-profiler.ts --output profiler.elf
 *     castaway deploy --vmm profiler.elf --plain --log 1 --until devirtualized
 *
 * The disk is looked at in units of 128 sectors (64 KiB), or larger ones if it has 65,536 of these or more. On the log
 * there is a line for each run of units that are touched for the first time:
 *
 *     profile 128 640          sectors a unit, units of the disk
 *     profile r 12034 0+1      12,034 us after the guest's first instruction: unit 0 is read for the first time
 *     profile w 92117 17+3     written: units 17 to 19
 *     profile end 845 27       so far: how many commands read, how many wrote
 *
 * The lines come when the disk is complete, when the hypervisor leaves, when the guest asks by hypercall 50524F46h ("PROF"),
 * or when 1,024 runs are waiting; each run once.
 */
import {
  allocate,
  DiskObserver,
  Extension,
  HypercallHandler,
  log,
  logNumber,
  Periodic,
  Registry,
  register,
} from "../api/index.ts";
import { rdtsc } from "../x86.ts";

const UNIT: u64 = 128;
const MOST_UNITS: u64 = 65536;
const MOST_RUNS: u32 = 1024;
const REPORT: u64 = 0x50524f46;
/** Touches are one run if they follow each other in place, and come within so many microseconds. */
const TOGETHER: u64 = 1000;

/** Runs of units that were touched first, in the order of time. */
class Runs {
  readonly time: StaticArray<u64> = new StaticArray<u64>(<i32>MOST_RUNS);
  readonly first: StaticArray<u32> = new StaticArray<u32>(<i32>MOST_RUNS);
  readonly count: StaticArray<u32> = new StaticArray<u32>(<i32>MOST_RUNS);
  readonly write: StaticArray<bool> = new StaticArray<bool>(<i32>MOST_RUNS);
  length: u32 = 0;

  add(time: u64, unit: u32, write: bool): void {
    const last = this.length - 1;
    if (this.length > 0 && this.write[last] === write && this.first[last] + this.count[last] === unit) {
      if (time - this.time[last] < TOGETHER) {
        this.count[last]++;
        return;
      }
    }
    const n = this.length++;
    this.time[n] = time;
    this.first[n] = unit;
    this.count[n] = 1;
    this.write[n] = write;
  }
  print(n: u32): void {
    log(this.write[n] ? "profile w " : "profile r ");
    logNumber(this.time[n]);
    log(" ");
    logNumber(this.first[n]);
    log("+");
    logNumber(this.count[n]);
    log("\n");
  }
}

/** One bit a unit. */
class Units {
  private readonly bits: usize;
  constructor(count: u64) {
    this.bits = allocate(<usize>(count + 7) >> 3, 8);
  }
  /** Was it not there before? */
  add(unit: u64): bool {
    const at = this.bits + <usize>(unit >> 3),
      mask: u8 = <u8>((<u32>1) << (<u32>(unit & 7))),
      before = load<u8>(at);
    store<u8>(at, before | mask);
    return (before & mask) === 0;
  }
}

export class Profile extends DiskObserver {
  /** Sectors of a unit. */
  private unit: u64 = UNIT;
  private units: u64 = 0;
  private readonly read: Units;
  private readonly written: Units;
  private readonly runs: Runs = new Runs();
  private reads: u64 = 0;
  private writes: u64 = 0;
  /** When the guest's first instruction was. */
  began: u64 = 0;
  private titled: bool = false;
  private reported: u64 = 0;

  constructor(diskSectors: u64) {
    super();
    let unit = UNIT;
    while (diskSectors / unit >= MOST_UNITS) unit *= 2;
    const units = (diskSectors + unit - 1) / unit;
    this.unit = unit;
    this.units = units;
    this.read = new Units(units);
    this.written = new Units(units);
  }

  onCommand(write: bool, lba: u64, sectors: u32): void {
    if (write) this.writes++;
    else this.reads++;
    if (sectors === 0) return;
    const time = (rdtsc() - this.began) / 1000,
      seen = write ? this.written : this.read,
      last = (lba + sectors - 1) / this.unit;
    for (let unit = lba / this.unit; unit <= last && unit < this.units; unit++) {
      if (!seen.add(unit)) continue;
      if (this.runs.length === MOST_RUNS) this.printRuns();
      this.runs.add(time, <u32>unit, write);
    }
  }

  /** Tells what is new since the last time. */
  report(): void {
    const commands = this.reads + this.writes;
    if (this.titled && commands === this.reported) return;
    this.reported = commands;
    this.printRuns();
    log("profile end ");
    logNumber(this.reads);
    log(" ");
    logNumber(this.writes);
    log("\n");
  }
  private printRuns(): void {
    if (!this.titled) {
      this.titled = true;
      log("profile ");
      logNumber(this.unit);
      log(" ");
      logNumber(this.units);
      log("\n");
    }
    for (let n: u32 = 0; n < this.runs.length; n++) this.runs.print(n);
    this.runs.length = 0;
  }
}

/** Work that is done once, immediately before the guest begins. */
class Beginning extends Periodic {
  constructor(private profile: Profile) {
    super();
  }
  poll(now: u64): void {
    if (this.due !== 0) return;
    this.profile.began = now;
    this.due = u64.MAX_VALUE;
  }
}

class OnDemand extends HypercallHandler {
  constructor(private profile: Profile) {
    super();
  }
  call(number: u64, _argument: u64): bool {
    if (number !== REPORT) return false;
    this.profile.report();
    return true;
  }
}

class AccessProfiler extends Extension {
  private profile: Profile | null = null;

  start(registry: Registry): void {
    const profile = new Profile(registry.diskSectors);
    this.profile = profile;
    registry.observeDisk(profile);
    registry.doPeriodically(new Beginning(profile));
    registry.interceptHypercalls(new OnDemand(profile));
  }
  complete(): void {
    this.profile!.report();
  }
  leaving(): void {
    this.profile!.report();
  }
}
register(new AccessProfiler());

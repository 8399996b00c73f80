/**
 * What was found out before: drivers access the same registers by the same few instructions, through the same page tables.
 * Nothing here is believed: whatever it came from is in the guest's memory, and is compared each time.
 */
import { physRead64 } from "../x86.ts";
import { GuestContext } from "./guest.ts";
import { Instruction } from "./instruction.ts";

const PAGE: u64 = 0xfff;
/** How many translations and instructions: powers of two. */
const WALKS: u32 = 16;
const INSTRUCTION_BITS: u32 = 7;
const INSTRUCTIONS: u32 = 1 << INSTRUCTION_BITS;
/** 2^32 divided by the golden ratio: the upper bits of a product with it differ for neighbours. */
const SPREAD: u32 = 0x9e3779b1;
/** Bytes that are compared: a longer instruction would have more than 15. */
const COMPARED: u32 = 16;

/** A translation by 4-level paging: the entries that it was made from, accessed and dirty as it left them. */
export class KnownWalk {
  /** The page's number; u64.MAX_VALUE: nothing is known. */
  private page: u64 = u64.MAX_VALUE;
  private asked: u32 = 0;
  private cr0: u64 = 0;
  private cr3: u64 = 0;
  private cr4: u64 = 0;
  private efer: u64 = 0;
  private physical: u64 = 0;
  private steps: u32 = 0;
  private spoilt: bool = false;
  private readonly at: StaticArray<u64> = new StaticArray<u64>(4);
  private readonly entries: StaticArray<u64> = new StaticArray<u64>(4);

  /** @param asked kind of access and rights, in one word */
  holds(linear: u64, asked: u32, context: GuestContext): bool {
    if (this.page !== linear >> 12 || this.asked !== asked || this.cr3 !== context.cr3) return false;
    if (this.cr0 !== context.cr0 || this.cr4 !== context.cr4 || this.efer !== context.efer) return false;
    for (let i: u32 = 0; i < this.steps; i++)
      if (physRead64(unchecked(this.at[i])) !== unchecked(this.entries[i])) return false;
    return true;
  }
  physicalOf(linear: u64): u64 {
    return this.physical | (linear & PAGE);
  }

  /** A walk begins: its steps follow. */
  begin(): void {
    this.page = u64.MAX_VALUE;
    this.steps = 0;
    this.spoilt = false;
  }
  /** It cannot be kept: an entry was not in RAM. */
  spoil(): void {
    this.spoilt = true;
  }
  /** An entry, with the flags that the walk sets in it. */
  step(at: u64, entry: u64): void {
    unchecked((this.at[this.steps] = at));
    unchecked((this.entries[this.steps++] = entry));
  }
  end(linear: u64, asked: u32, context: GuestContext, physical: u64): void {
    if (this.spoilt) return;
    this.page = linear >> 12;
    this.asked = asked;
    this.cr0 = context.cr0;
    this.cr3 = context.cr3;
    this.cr4 = context.cr4;
    this.efer = context.efer;
    this.physical = physical & ~PAGE;
  }
}

export class KnownWalks {
  private readonly all: StaticArray<KnownWalk> = new StaticArray<KnownWalk>(WALKS);

  constructor() {
    for (let i: u32 = 0; i < WALKS; i++) this.all[i] = new KnownWalk();
  }
  /** The place of a translation. */
  of(linear: u64, asked: u32): KnownWalk {
    return unchecked(this.all[(<u32>(linear >> 12) + asked) & (WALKS - 1)]);
  }
}

/** A decoded instruction, and the bytes that it was made from. */
export class KnownInstruction {
  readonly insn: Instruction = new Instruction();
  /** Later times have greater numbers. */
  wanted: u64 = 0;
  private physical: u64 = 0;
  /** Size of code; 0: nothing is known. */
  private bits: u32 = 0;
  private low: u64 = 0;
  private high: u64 = 0;

  isOf(physical: u64): bool {
    return this.physical === physical;
  }
  holds(physical: u64, bits: u32): bool {
    if (this.physical !== physical || this.bits !== bits) return false;
    return ((physRead64(physical) ^ this.low) & lowMask(this.insn.length)) === 0 && this.endHolds(physical);
  }
  private endHolds(physical: u64): bool {
    const length = this.insn.length;
    return length <= 8 || ((physRead64(physical + 8) ^ this.high) & lowMask(length - 8)) === 0;
  }

  /** It is decoded anew. */
  forget(): void {
    this.bits = 0;
  }
  /** It was decoded from these bytes of one page, which were read from memory. */
  keep(physical: u64, bits: u32, bytes: StaticArray<u8>): void {
    const at = changetype<usize>(bytes);
    this.physical = physical;
    this.bits = bits;
    this.low = load<u64>(at);
    this.high = load<u64>(at, 8);
  }
}
/** Ones in the low `bytes` bytes, 8 at most. */
const lowMask = (bytes: u32): u64 => (bytes >= 8 ? ~(<u64>0) : ((<u64>1) << (8 * bytes)) - 1);

export class KnownInstructions {
  private count: u64 = 0;
  private readonly all: StaticArray<KnownInstruction> = new StaticArray<KnownInstruction>(INSTRUCTIONS);

  constructor() {
    for (let i: u32 = 0; i < INSTRUCTIONS; i++) this.all[i] = new KnownInstruction();
  }
  /** The place of an instruction: one of two, and if it is in neither of them the one that was not wanted for longer. */
  of(physical: u64): KnownInstruction {
    const at = (<u32>physical * SPREAD) >> (32 - INSTRUCTION_BITS),
      one = unchecked(this.all[at]),
      other = unchecked(this.all[at ^ 1]);
    const place = one.isOf(physical) || (!other.isOf(physical) && one.wanted < other.wanted) ? one : other;
    place.wanted = ++this.count;
    return place;
  }
  /** Whether it can be kept: all bytes that would be compared are in its page. */
  static fits(physical: u64): bool {
    return (<u32>physical & <u32>PAGE) <= <u32>PAGE + 1 - COMPARED;
  }
}

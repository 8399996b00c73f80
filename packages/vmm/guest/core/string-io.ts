/**
 * INS and OUTS of mediated ports [SDM 3C 27.2.1, table 27-8]: one element for each exit, so that the guest can be
 * interrupted after each, as the processor does it.
 */
import { CS, DF, EFER_LMA, ES, RCX, RDI, RSI, SEGMENT_LONG } from "../emulate/guest.ts";
import { Exception, Operand } from "../emulate/operand.ts";
import { Access, Walker } from "../emulate/walk.ts";
import { vmread } from "../x86.ts";
import { MemoryExits } from "./memory-exits.ts";
import { Registers } from "./registers.ts";
import * as V from "./vmcs.ts";

/** Bits of the exit qualification. */
const IN: u32 = 8;
const REPEATED: u32 = 32;
const ALL: u64 = 0xffffffffffffffff;

export class StringIo {
  /** The element in memory, after {@link begin}. */
  readonly operand!: Operand;
  private readonly exception: Exception = new Exception();
  private input: bool = false;
  private repeated: bool = false;
  private bytes: u32 = 0;
  private addressBytes: u32 = 0;
  private long: bool = false;

  constructor(private exits: MemoryExits) {
    const context = exits.context,
      memory = exits.memory;
    this.operand = new Operand(context, exits.registers, memory, new Walker(context, memory), this.exception);
  }

  /** False: the guest gets the exception that its memory raises. */
  begin(registers: Registers, qualification: u32, bytes: u32): bool {
    const exits = this.exits,
      information = <u32>vmread(V.EXIT_INSTRUCTION_INFO);
    exits.take(registers);
    const guest = exits.registers;
    this.input = (qualification & IN) !== 0;
    this.repeated = (qualification & REPEATED) !== 0;
    this.bytes = bytes;
    this.addressBytes = 2 << ((information >> 7) & 7);
    this.long = (exits.context.efer & EFER_LMA) !== 0 && (guest.segment(CS).rights & SEGMENT_LONG) !== 0;
    const segment = this.input ? ES : (information >> 15) & 7,
      offset = guest.get(this.input ? RDI : RSI) & this.mask,
      access = this.input ? Access.WRITE : Access.READ;
    if (this.operand.place(segment, offset, bytes, access, this.long)) return true;
    exits.raise(this.exception);
    return false;
  }
  private get mask(): u64 {
    return ALL >> (64 - 8 * this.addressBytes);
  }

  /** The element has been moved: on to the next, or behind the instruction. */
  end(): void {
    const guest = this.exits.registers,
      index = this.input ? RDI : RSI,
      step = (guest.rflags & DF) !== 0 ? -(<u64>this.bytes) : <u64>this.bytes;
    guest.set(index, this.addressBytes, guest.get(index) + step);
    let last = true;
    if (this.repeated) {
      guest.set(RCX, this.addressBytes, guest.get(RCX) - 1);
      last = (guest.get(RCX) & this.mask) === 0;
    }
    if (last) guest.rip += vmread(V.EXIT_INSTRUCTION_LENGTH);
    this.exits.giveBack();
  }
}

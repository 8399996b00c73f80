/** Results and flags of integer arithmetic on 1, 2, 4 or 8 bytes [SDM 1 3.4.3.1]. Operands may have anything above. */
import { AF, CF, maskOf, OF, PF, SF, ZF } from "./guest.ts";
import { Operation } from "./instruction.ts";

const STATUS: u64 = CF | PF | AF | ZF | SF | OF;

export class Arithmetic {
  /** RFLAGS, brought along and changed. */
  flags: u64 = 0;

  /** One of ADD to CMP, or TEST; the result of CMP and TEST is for nobody. */
  binary(operation: Operation, bytes: u32, a: u64, b: u64): u64 {
    const carry = this.flags & CF;
    switch (operation) {
      case Operation.ADD:
        return this.sum(bytes, a, b, a + b);
      case Operation.ADC:
        return this.sum(bytes, a, b, a + b + carry);
      case Operation.SBB:
        return this.difference(bytes, a, b, a - b - carry);
      case Operation.SUB:
      case Operation.CMP:
        return this.difference(bytes, a, b, a - b);
      case Operation.OR:
        return this.logic(bytes, a | b);
      case Operation.XOR:
        return this.logic(bytes, a ^ b);
      default: // AND, TEST
        return this.logic(bytes, a & b);
    }
  }
  /** INC, DEC, NOT or NEG. The first two leave CF as it is, NOT all flags. */
  unary(operation: Operation, bytes: u32, a: u64): u64 {
    if (operation === Operation.NOT) return ~a;
    if (operation === Operation.NEG) return this.difference(bytes, 0, a, 0 - a);
    const carry = this.flags & CF;
    const result = operation === Operation.INC ? this.sum(bytes, a, 1, a + 1) : this.difference(bytes, a, 1, a - 1);
    this.flags = (this.flags & ~CF) | carry;
    return result;
  }
  /** BT, BTS, BTR or BTC of bit `n`, which is within the operand: CF is what the bit was. */
  bit(operation: Operation, value: u64, n: u64): u64 {
    const mask = (<u64>1) << n;
    this.flags = (this.flags & ~CF) | ((value >> n) & 1);
    if (operation === Operation.BTS) return value | mask;
    if (operation === Operation.BTR) return value & ~mask;
    return operation === Operation.BTC ? value ^ mask : value;
  }

  /** Bit n of the third argument of `set` is the carry out of bit n, whatever came in. */
  private sum(bytes: u32, a: u64, b: u64, sum: u64): u64 {
    this.set(bytes, sum, (a & b) | ((a | b) & ~sum), (a ^ sum) & (b ^ sum));
    return sum;
  }
  private difference(bytes: u32, a: u64, b: u64, difference: u64): u64 {
    this.set(bytes, difference, (~a & b) | ((~a | b) & difference), (a ^ b) & (a ^ difference));
    return difference;
  }
  /** CF and OF are cleared; AF is undefined, and cleared too. */
  private logic(bytes: u32, result: u64): u64 {
    this.set(bytes, result, 0, 0);
    return result;
  }
  private set(bytes: u32, result: u64, carries: u64, overflows: u64): void {
    const top = 8 * bytes - 1;
    let flags = this.flags & ~STATUS;
    if (((carries >> top) & 1) !== 0) flags |= CF;
    if ((carries & 8) !== 0) flags |= AF;
    if (((overflows >> top) & 1) !== 0) flags |= OF;
    if (((result >> top) & 1) !== 0) flags |= SF;
    if ((result & maskOf(bytes)) === 0) flags |= ZF;
    if ((popcnt<u32>(<u32>result & 0xff) & 1) === 0) flags |= PF;
    this.flags = flags;
  }
}

/**
 * What the operator says in the boot loader's command line: words `NAME=VALUE`, in any order. What is not understood is
 * named in the log and left out.
 *
 *     aoe=SHELF.SLOT    which disk of the network; default: the lowest address that answers
 *     mtu=BYTES         the longest payload that the network carries; default 9000
 *     block=BYTES       unit of copying, a power of two from 4096 to 1048576; default 65536
 *     idle=MICROSECONDS the guest's disk must have been idle for so long before the background copy goes on; default 2000
 *     pause=MICROSECONDS from one chunk of the background copy to the next, at least; default 0
 *     chunk=BLOCKS      how many blocks of it are on their way at once; default 8
 *     redirect=store    a read of what is not there: store it first, then let the guest's command go (`dummy`: answer it at once)
 *     log=LEVEL         0 nothing, 1 the course of things (default), 2 what is rare, 3 everything
 */
import { log, logRange } from "./log.ts";
import { physRead8 } from "./x86.ts";

const SPACE: u32 = 0x20;
const EQUALS: u32 = 0x3d;
const DOT: u32 = 0x2e;
/** Of the whole line. */
const LONGEST: u32 = 4096;
const LEAST_BLOCK: u64 = 4096;
const MOST_BLOCK: u64 = 0x100000;
const SECTOR_SHIFT: u64 = 9;

export class CommandLine {
  shelf: u32 = 0xffff;
  slot: u32 = 0xff;
  mtu: u32 = 9000;
  /** Sectors a block, as a power of two. */
  blockShift: u32 = 7;
  /** In nanoseconds. */
  idle: u64 = 2_000_000;
  pause: u64 = 0;
  chunk: u32 = 8;
  storeFirst: bool = true;
  level: u32 = 1;
  /** Physical addresses of the value that is read, and its end. */
  private at: u64 = 0;
  private end: u64 = 0;
  private number: u64 = 0;

  /** @param text physical address of the line, which ends with 0, or 0; its first word, the image's name, is nobody's option */
  parse(text: u64): void {
    if (text === 0) return;
    let from = text;
    for (let n: u32 = 0; n < LONGEST; n++) {
      const char = physRead8(text + n);
      if (char !== 0 && char !== SPACE) continue;
      if (from !== text && text + n > from) this.word(from, text + n);
      from = text + n + 1;
      if (char === 0) return;
    }
  }

  private word(from: u64, end: u64): void {
    this.end = end;
    if (this.take(from)) return;
    log("not understood: ");
    logRange(from, end);
    log("\n");
  }

  /** False: no such option, or not such a value. */
  private take(from: u64): bool {
    if (this.named(from, "aoe")) return this.target();
    if (this.named(from, "mtu")) return this.within(1500, 9000) && this.keepMtu();
    if (this.named(from, "block")) return this.block();
    if (this.named(from, "idle")) return this.within(0, 1_000_000_000) && this.keepIdle();
    if (this.named(from, "pause")) return this.within(0, 1_000_000_000) && this.keepPause();
    if (this.named(from, "chunk")) return this.within(1, 8) && this.keepChunk();
    if (this.named(from, "redirect")) return this.redirect();
    if (this.named(from, "log")) return this.within(0, 3) && this.keepLevel();
    return false;
  }

  /** `NAME=` stands there: the value is behind it. */
  private named(from: u64, name: string): bool {
    this.at = from;
    return this.skips(name) && this.skip(EQUALS);
  }
  private skips(text: string): bool {
    for (let i = 0; i < text.length; i++) if (!this.skip(<u32>text.charCodeAt(i))) return false;
    return true;
  }
  private skip(char: u32): bool {
    if (this.at >= this.end || physRead8(this.at) !== char) return false;
    this.at++;
    return true;
  }
  /** Decimal digits, one at least. */
  private digits(): bool {
    const from = this.at;
    this.number = 0;
    while (this.at < this.end) {
      const digit = physRead8(this.at) - 0x30;
      if (digit > 9 || this.number > 0xffff_ffff) break;
      this.number = this.number * 10 + digit;
      this.at++;
    }
    return this.at > from;
  }
  /** The value is a number, and all of the word. */
  private within(least: u64, most: u64): bool {
    return this.digits() && this.at === this.end && this.number >= least && this.number <= most;
  }

  /** `1.2`; a letter e before it is let pass, as other clients write it. */
  private target(): bool {
    this.skip(0x65);
    if (!this.digits() || this.number >= 0xffff) return false;
    const shelf = <u32>this.number;
    if (!this.skip(DOT) || !this.within(0, 0xfe)) return false;
    this.shelf = shelf;
    this.slot = <u32>this.number;
    return true;
  }
  private block(): bool {
    if (!this.within(LEAST_BLOCK, MOST_BLOCK) || (this.number & (this.number - 1)) !== 0) return false;
    this.blockShift = <u32>(ctz(this.number) - SECTOR_SHIFT);
    return true;
  }
  private redirect(): bool {
    const value = this.at;
    this.storeFirst = this.skips("store") && this.at === this.end;
    if (this.storeFirst) return true;
    this.at = value;
    return this.skips("dummy") && this.at === this.end;
  }
  private keepMtu(): bool {
    this.mtu = <u32>this.number;
    return true;
  }
  private keepIdle(): bool {
    this.idle = this.number * 1000;
    return true;
  }
  private keepPause(): bool {
    this.pause = this.number * 1000;
    return true;
  }
  private keepChunk(): bool {
    this.chunk = <u32>this.number;
    return true;
  }
  private keepLevel(): bool {
    this.level = <u32>this.number;
    return true;
  }
}

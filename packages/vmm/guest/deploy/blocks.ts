/**
 * Which blocks of the disk are local (R6.1 to R6.3), and the consistency rules of section 7 that follow from it.
 *
 * A block is local (L): the disk holds the truth; or empty (E): the image does, and the disk holds garbage. There is no
 * third meaning; what happens to an empty block meanwhile (it is fetched, stored, written by the guest) is known by
 * whoever does it: transfers.ts and the guest's commands. A block that is local stays so.
 */

export class Blocks {
  /** Sectors a block: a power of two. */
  readonly blockSectors: u32;
  /** Sectors of the image: behind them the disk is the guest's from the start (R6.3). */
  readonly imageSectors: u64;
  /** Blocks that hold at least one sector of the image. */
  readonly count: u32;
  /** How many of them are empty. */
  remaining: u32;
  private readonly shift: u32;
  /** One bit a block, set if it is local. */
  private readonly bits!: StaticArray<u64>;

  /** @param shift sectors a block as a power of two, 0 to 15 */
  constructor(imageSectors: u64, shift: u32) {
    this.shift = shift;
    this.blockSectors = (<u32>1) << shift;
    this.imageSectors = imageSectors;
    const count = <u32>((imageSectors + ((<u64>1) << shift) - 1) >> shift);
    this.count = count;
    this.remaining = count;
    this.bits = new StaticArray<u64>(<i32>((count + 63) >> 6));
  }

  get complete(): bool {
    return this.remaining === 0;
  }

  /** The block that holds the sector; `count` or more: behind the image. */
  blockOf(lba: u64): u64 {
    return lba >> this.shift;
  }

  firstSector(block: u32): u64 {
    return (<u64>block) << this.shift;
  }

  /** How many sectors of the block are the image's: fewer in the last one. */
  sectorsOf(block: u32): u32 {
    const left = this.imageSectors - this.firstSector(block);
    return left < this.blockSectors ? <u32>left : this.blockSectors;
  }

  isLocal(block: u64): bool {
    if (block >= this.count) return true;
    return ((unchecked(this.bits[<i32>(block >> 6)]) >> (block & 63)) & 1) !== 0;
  }

  setLocal(block: u32): void {
    if (this.isLocal(block)) return;
    const word = <i32>(block >> 6);
    unchecked((this.bits[word] |= (<u64>1) << (block & 63)));
    this.remaining--;
  }

  /** The first empty block from `from` on, in a circle. @returns -1 if all are local */
  nextEmpty(from: u32): i64 {
    if (this.remaining === 0) return -1;
    const words = <u32>this.bits.length;
    const start = from < this.count ? from : 0;
    let word = start >> 6;
    let mask: u64 = ~(<u64>0) << (start & 63);
    for (let looked: u32 = 0; looked <= words; looked++) {
      const empty = ~unchecked(this.bits[<i32>word]) & mask & this.valid(word);
      if (empty !== 0) return <i64>(word << 6) + <i64>ctz<u64>(empty);
      mask = ~(<u64>0);
      word = word + 1 === words ? 0 : word + 1;
    }
    return -1;
  }

  /** Rule 1: a read of nothing but local blocks goes to the drive untouched. */
  allLocal(lba: u64, sectors: u32): bool {
    const last = this.lastBlock(lba, sectors);
    for (let b = this.blockOf(lba); b <= last; b++) if (!this.isLocal(b)) return false;
    return true;
  }

  /** The last block of the range that the image has, or one that is local anyway. */
  lastBlock(lba: u64, sectors: u32): u64 {
    const last = this.blockOf(lba + sectors - 1);
    return last < this.count ? last : <u64>this.count;
  }

  /** Rule 3: whether a write of the range leaves nothing of the block's image. */
  covers(lba: u64, sectors: u32, block: u32): bool {
    const first = this.firstSector(block);
    return lba <= first && lba + sectors >= first + this.sectorsOf(block);
  }

  /** Rules 3 and 6: a guest's write is over, well or not: what it covered is the guest's for good. */
  guestWrote(lba: u64, sectors: u32): void {
    const last = this.lastBlock(lba, sectors);
    for (let b = this.blockOf(lba); b <= last; b++) {
      if (!this.isLocal(b) && this.covers(lba, sectors, <u32>b)) this.setLocal(<u32>b);
    }
  }

  /** Boot: what an earlier run has recorded. @param bits 64 blocks from `word` * 64 on */
  recall(word: u32, bits: u64): void {
    const before = unchecked(this.bits[<i32>word]);
    const after = before | (bits & this.valid(word));
    this.remaining -= <u32>popcnt<u64>(after ^ before);
    unchecked((this.bits[<i32>word] = after));
  }

  /** 64 blocks of the map, from `word` * 64 on. */
  word(word: u32): u64 {
    return unchecked(this.bits[<i32>word]);
  }

  get words(): u32 {
    return <u32>this.bits.length;
  }

  /** Bits of a word of the map that stand for blocks. */
  private valid(word: u32): u64 {
    const left = this.count - (word << 6);
    return left >= 64 ? ~(<u64>0) : ((<u64>1) << left) - 1;
  }
}

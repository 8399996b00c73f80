/** Where the image comes from: reads that end later, in any order, never from within `submit`. */

import { Periodic } from "../api/intercepts.ts";

/** Told of a read whose sectors have all come. */
export abstract class ReadSink {
  abstract arrived(read: DiskRead): void;
}

export class DiskRead {
  lba: u64 = 0;
  sectors: u32 = 0;
  /** Where the data go: linear. */
  buffer: usize = 0;
  /** One bit a sector that is zero and was not sent. */
  readonly holes: StaticArray<u64>;
  sink: ReadSink;

  /** @param most sectors that are ever read at once */
  constructor(most: u32, sink: ReadSink) {
    this.holes = new StaticArray<u64>(<i32>(most + 63) >> 6);
    this.sink = sink;
  }
}

export abstract class ImageSource {
  /** What polls it, if that waits until it is due. */
  work: Periodic | null = null;

  /** Something was submitted: it is polled at once. */
  wake(): void {
    const work = this.work;
    if (work !== null) work.due = 0;
  }
  /** @returns false: no room now */
  abstract submit(read: DiskRead): bool;
  /** Its sink will not be told. */
  abstract cancel(read: DiskRead): void;
}

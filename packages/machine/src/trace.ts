/**
 * What guests and hypervisors do, over time, as a file that Perfetto shows (ui.perfetto.dev, "Open trace file"): trace
 * events in JSON, as a list. Each processor has a track. Within "VMX operation", from VMXON to VMXOFF, slices alternate: "guest",
 * from a VM entry to the exit that ends it, and the hypervisor's, named by the reason of the exit that it sees to.
 * Entries that were refused are instants. Times are virtual.
 *
 *     const trace = new Trace(machine, { write: (text) => file.write(text) });
 *     machine.run(..);
 *     trace.close();
 */
import { type Delivery, exitName, type VmEntry, type VmExit, type VmRefusal, type VmxOperation } from "@castaway/cpu";
import type { Nanoseconds } from "@castaway/kit";
import type { Machine } from "./machine.ts";

export interface TraceOptions {
  /** Takes the text of the file piece by piece, in order. */
  readonly write: (text: string) => void;
  /** Also interrupts and exceptions whose handlers a processor reaches, as instants. Default: no. */
  readonly deliveries?: boolean;
  /** A name for a linear address, such as "do_idle+1c"; null: it has none. */
  readonly symbolOf?: (address: number, processor: number) => string | null;
}

type Args = Readonly<Record<string, string | number>>;
/** B and E begin and end a slice, X is a whole one; b and e are of one that may overlap others; i is an instant, C a counter's value. */
interface Event {
  readonly name: string;
  readonly ph: "B" | "E" | "X" | "b" | "e" | "i" | "C";
  /** Of an instant: it is of this track. */
  readonly s?: "t";
  /** Of b and e: the track, and which begins and ends belong together. */
  readonly cat?: string;
  readonly id?: number;
  /** Of X: microseconds. */
  readonly dur?: number;
  readonly args: Args;
}
/** An event as a line of the file. */
interface Held {
  readonly time: Nanoseconds;
  readonly text: string;
}

const OPERATION = "VMX operation",
  GUEST = "guest";
/** Bit 31 of interruption information, and of a reason: the event is valid, the VM entry failed. */
const BIT_31 = 0x80000000;
/** What several processors do in turns comes in the order of their turns, which are shorter than half of this. */
const DISORDER: Nanoseconds = 2_000_000;
/** About so many events are written at once, and so many at most wait for others to be put before them. */
const PIECE = 1024,
  MOST_HELD = 16_384;

export class Trace {
  readonly #machine: Machine;
  readonly #options: TraceOptions;
  /** By processor the slices that are open, the outermost first. */
  readonly #open: readonly string[][];
  readonly #stops: readonly (() => void)[];
  #held: Held[] = [];
  #enough = PIECE;
  #newest: Nanoseconds = 0;
  #closed = false;
  /** Tracks beside the processors', by name. */
  readonly #tracks = new Map<string, number>();
  #slices = 0;

  /** Begins the file with what goes on now, and listens from now on. Between then and `close` restore no state. */
  constructor(machine: Machine, options: TraceOptions) {
    this.#machine = machine;
    this.#options = options;
    const { processors } = machine.board.cpu,
      { probes } = machine;
    this.#open = processors.map(() => []);
    options.write(`[\n${processors.map(({ id }) => trackName(trackOf(id), `CPU ${id}`)).join(",\n")}`);
    for (const { id, vmx } of processors) {
      if (vmx.vmxonPointer >= 0) this.#begin(id, machine.now, OPERATION, {});
      if (vmx.nonRoot) this.#begin(id, machine.now, GUEST, {});
    }
    this.#stops = [
      probes.vmxOperation.on((event) => this.#operation(event)),
      probes.vmEntry.on((event) => this.#entry(event)),
      probes.vmExit.on((event) => this.#exit(event)),
      probes.vmRefused.on((event) => this.#refused(event)),
      probes.resets.on(({ now }) => this.#endAll(now)),
    ];
    if (options.deliveries) this.#stops = [...this.#stops, probes.deliveries.on((event) => this.#delivery(event))];
  }

  /** Ends what is open, and the file. Nothing is written afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#endAll(this.#machine.now);
    this.#write(0);
    this.#options.write("\n]\n");
  }

  // ---- what others tell of ----

  /** A slice on a track of that name, told of when it is over; slices of one track follow each other. */
  slice(track: string, name: string, from: Nanoseconds, to: Nanoseconds, args: Args = {}): void {
    if (!this.#closed) this.#put(from, this.#track(track), { name, ph: "X", dur: (to - from) / 1000, args });
  }
  /** The same for slices that may overlap. */
  overlapping(track: string, name: string, from: Nanoseconds, to: Nanoseconds, args: Args = {}): void {
    if (this.#closed) return;
    const id = ++this.#slices;
    this.#put(from, 0, { name, cat: track, id, ph: "b", args });
    this.#put(to, 0, { name, cat: track, id, ph: "e", args: {} });
  }
  /** An instant on a track of that name. */
  instant(track: string, name: string, time: Nanoseconds, args: Args = {}): void {
    if (!this.#closed) this.#put(time, this.#track(track), { name, ph: "i", s: "t", args });
  }
  /** The value of a counter of that name from now on. */
  counter(name: string, time: Nanoseconds, value: number): void {
    if (!this.#closed) this.#put(time, 0, { name, ph: "C", args: { value } });
  }

  #track(name: string): number {
    const known = this.#tracks.get(name);
    if (known !== undefined) return known;
    const id = trackOf(this.#open.length + this.#tracks.size);
    this.#tracks.set(name, id);
    this.#options.write(`,\n${trackName(id, name)}`);
    return id;
  }

  // ---- what happens ----

  #operation({ processor, on, time }: VmxOperation): void {
    this.#endTo(processor, 0, time);
    if (on) this.#begin(processor, time, OPERATION, {});
  }
  #entry({ processor, ip, time }: VmEntry): void {
    this.#endTo(processor, 1, time);
    this.#begin(processor, time, GUEST, this.#place(ip, processor));
  }
  #exit({ processor, reason, qualification, ip, interruption, guestPhysical, time }: VmExit): void {
    const name = exitName(reason),
      args: Record<string, string | number> = { qualification: hex(qualification), ...this.#place(ip, processor) };
    if (interruption & BIT_31) args["vector"] = interruption & 0xff;
    if (guestPhysical !== null) args["guestPhysical"] = hex(guestPhysical);
    this.#endTo(processor, 1, time, { exit: name });
    this.#begin(processor, time, reason >= BIT_31 ? `entry failed: ${name}` : name, args);
  }
  #refused({ processor, rule, cite, code, time }: VmRefusal): void {
    this.#event(processor, time, { name: "VM entry refused", ph: "i", s: "t", args: { rule, cite, code } });
  }
  #delivery({ processor, vector, kind, errorCode, ip, time }: Delivery): void {
    const args = { ...this.#place(ip, processor), ...(errorCode === null ? {} : { errorCode: hex(errorCode) }) },
      what = DELIVERED[kind] ?? "software interrupt";
    this.#event(processor, time, { name: `${what} ${vector}`, ph: "i", s: "t", args });
  }
  #place(ip: number, processor: number): Args {
    const symbol = this.#options.symbolOf?.(ip, processor) ?? null;
    return symbol === null ? { rip: hex(ip) } : { rip: hex(ip), symbol };
  }

  // ---- slices ----

  #begin(processor: number, time: Nanoseconds, name: string, args: Args): void {
    this.#open[processor]!.push(name);
    this.#event(processor, time, { name, ph: "B", args });
  }
  /** Ends slices until so many are open; and opens the outermost if it has to be, since it began unseen. */
  #endTo(processor: number, depth: number, time: Nanoseconds, args: Args = {}): void {
    const open = this.#open[processor]!;
    while (open.length > depth) this.#event(processor, time, { name: open.pop()!, ph: "E", args });
    if (open.length < depth) this.#begin(processor, time, OPERATION, {});
  }
  #endAll(now: Nanoseconds): void {
    const time = Math.max(now, this.#newest); // a processor may be ahead of the machine
    for (const processor of this.#open.keys()) this.#endTo(processor, 0, time);
  }

  // ---- the file ----

  #event(processor: number, time: Nanoseconds, event: Event): void {
    this.#put(time, trackOf(processor), event);
  }
  #put(time: Nanoseconds, tid: number, event: Event): void {
    this.#newest = Math.max(this.#newest, time);
    this.#held.push({ time, text: JSON.stringify({ ...event, pid: PROCESS, tid, ts: time / 1000 }) });
    if (this.#held.length >= this.#enough) this.#settle();
  }
  /** Writes what no event can come before any more; everything, if that waits for too much. */
  #settle(): void {
    const settled = this.#newest - (this.#open.length > 1 ? DISORDER : 0),
      waiting = this.#held.filter(({ time }) => time > settled).length;
    this.#write(waiting > MOST_HELD ? 0 : waiting);
    this.#enough = this.#held.length + PIECE;
  }
  /** Writes in order of time; so many of the latest stay. What happened to one processor stays in its order. */
  #write(waiting: number): void {
    this.#held.sort((a, b) => a.time - b.time);
    const lines = this.#held.splice(0, this.#held.length - waiting);
    if (lines.length > 0) this.#options.write(lines.map(({ text }) => `,\n${text}`).join(""));
  }
}

/** Perfetto's names of processes and tracks; nought would be the idle task. */
const PROCESS = 1;
const trackOf = (processor: number) => processor + 1;
const trackName = (tid: number, name: string) =>
  JSON.stringify({ name: "thread_name", ph: "M", pid: PROCESS, tid, args: { name } });

/** Addresses and qualifications are 64-bit words. */
const hex = (value: number) => `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}`;
/** By the kind of event in interruption information. */
const DELIVERED: Readonly<Record<number, string>> = { 0: "interrupt", 2: "NMI", 3: "exception" };

/**
 * The packets that are answered while the machine stands still [GDB E.2, E.4]. A thread is a processor: its number is one
 * more. What is not known here is answered with nothing, which is how gdb learns of it.
 */
import type { Machine } from "../machine.ts";
import { Breakpoints } from "./breakpoints.ts";
import { DESCRIPTION } from "./description.ts";
import { readMemory, writeMemory } from "./memory.ts";
import { monitor, threadInfo } from "./monitor.ts";
import { bytesOf, escape, fromHex, hexAddress, hexNumber, PACKET_SIZE, textOf, toHex, unescape } from "./packets.ts";
import { REGISTERS, readRegister, writeRegister } from "./registers.ts";

/** How the machine is to go on. */
export interface Resume {
  /** The processor that is to run one instruction; null: on and on. */
  readonly step: number | null;
  /** gdb believes that the others stand still meanwhile. */
  readonly alone: boolean;
  /** Steps are repeated while the next instruction lies in this range: its first address, and the one after it. */
  readonly range: readonly [first: number, end: number] | null;
}

/** What a packet leads to: an answer, and perhaps that the machine goes on or the session is over. */
export type Outcome =
  | string
  | { readonly resume: Resume }
  | { readonly over: "detached" | "killed"; readonly reply: string };

const OK = "OK",
  ERROR = "E01",
  UNKNOWN = "";
const RUN: Resume = { step: null, alone: false, range: null };
const FEATURES = [
  `PacketSize=${PACKET_SIZE.toString(16)}`,
  "QStartNoAckMode+",
  "qXfer:features:read+",
  "vContSupported+",
  "swbreak+",
  "hwbreak+",
].join(";");

export class Commands {
  readonly machine: Machine;
  readonly breakpoints: Breakpoints;
  /** Features that gdb says it understands. */
  understood: ReadonlySet<string> = new Set();
  /** The processor whose registers and address space are meant. */
  current = 0;
  /** Why the machine stands still, as `?` asks. */
  lastStop = "T05thread:1;";
  /** Sends what `monitor` prints. */
  readonly #print: (text: string) => void;

  constructor(machine: Machine, print: (text: string) => void) {
    this.machine = machine;
    this.breakpoints = new Breakpoints(machine.board.cpu.debug);
    this.#print = print;
  }
  get #cpu() {
    return this.machine.board.cpu;
  }
  get #ids(): number[] {
    return this.#cpu.processors.map(({ id }) => id);
  }

  execute(data: string): Outcome {
    const rest = data.slice(1);
    switch (data[0]) {
      case "?":
        return this.lastStop;
      case "g":
        return this.#readAll();
      case "G":
        return this.#writeAll(rest);
      case "p":
        return this.#readOne(rest);
      case "P":
        return this.#writeOne(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
      case "X":
        return this.#writeMemory(rest, data[0] === "X");
      case "Z":
      case "z":
        return this.#breakpoint(rest, data[0] === "Z");
      case "H":
        return this.#choose(rest);
      case "T":
        return this.#processor(rest) === null ? ERROR : OK;
      case "c":
      case "s":
        return this.#goOn(data[0], rest);
      case "C":
      case "S":
        return this.#goOn(data[0].toLowerCase(), rest.split(";")[1] ?? ""); // signals mean nothing to a machine
      case "D":
        return { over: "detached", reply: OK };
      case "k":
        return { over: "killed", reply: UNKNOWN };
      case "R":
        this.machine.reset();
        return UNKNOWN;
      case "v":
        return this.#multiLetter(data);
      case "q":
      case "Q":
        return this.#query(data);
      default:
        return UNKNOWN;
    }
  }

  // ---- registers ----

  #readAll(): string {
    return REGISTERS.map((_, n) => toHex(readRegister(this.#cpu, this.current, n)!)).join("");
  }
  /** What can be written is written, even if something else cannot. */
  #writeAll(text: string): string {
    const bytes = fromHex(text);
    if (bytes === null) return ERROR;
    let fine = true;
    let at = 0;
    for (const [n, { bytes: size }] of REGISTERS.entries()) {
      if (at >= bytes.length) break; // gdb leaves out those at the end that it does not know
      if (!writeRegister(this.#cpu, this.current, n, bytes.subarray(at, at + size))) fine = false;
      at += size;
    }
    return fine ? OK : ERROR;
  }
  #readOne(text: string): string {
    const number = hexNumber(text),
      bytes = number === null ? null : readRegister(this.#cpu, this.current, number);
    return bytes === null ? ERROR : toHex(bytes);
  }
  #writeOne(text: string): string {
    const [number, value] = text.split("="),
      n = hexNumber(number),
      bytes = value === undefined ? null : fromHex(value);
    return n !== null && bytes !== null && writeRegister(this.#cpu, this.current, n, bytes) ? OK : ERROR;
  }

  // ---- memory ----

  /** Fewer bytes than were asked for are an answer too [GDB E.2 "m"]. */
  #readMemory(text: string): string {
    const [from, length] = text.split(","),
      linear = hexAddress(from),
      wanted = hexNumber(length);
    if (linear === null || wanted === null) return ERROR;
    if (wanted === 0) return UNKNOWN;
    const bytes = readMemory(this.#cpu, this.current, linear, Math.min(wanted, PACKET_SIZE / 2));
    return bytes.length === 0 ? ERROR : toHex(bytes);
  }
  #writeMemory(text: string, binary: boolean): string {
    const colon = text.indexOf(":"),
      [to, length] = text.slice(0, colon).split(","),
      linear = hexAddress(to),
      data = text.slice(colon + 1),
      bytes = binary ? bytesOf(unescape(data)) : fromHex(data);
    if (colon < 0 || linear === null || bytes === null || bytes.length !== hexNumber(length)) return ERROR;
    return bytes.length === 0 || writeMemory(this.#cpu, this.current, linear, bytes) ? OK : ERROR;
  }

  // ---- breakpoints ----

  #breakpoint(text: string, set: boolean): string {
    const [type, address, kind] = text.split(";")[0]!.split(","),
      linear = hexAddress(address),
      bytes = hexNumber(kind);
    if (!/^[0-4]$/.test(type!)) return UNKNOWN;
    if (linear === null || bytes === null) return ERROR;
    if (set) return this.breakpoints.add(Number(type), linear, bytes) ? OK : ERROR;
    this.breakpoints.remove(Number(type), linear, bytes);
    return OK;
  }

  // ---- threads ----

  /** The processor that a thread's number stands for; 0 is any, -1 all: then the current one. Null if there is none. */
  #processor(thread: string): number | null {
    if (thread === "0" || thread === "-1") return this.current;
    const number = hexNumber(thread);
    return number !== null && number <= this.#cpu.processors.length && number > 0 ? number - 1 : null;
  }
  #choose(text: string): string {
    const id = this.#processor(text.slice(1));
    if (!/^[gc]/.test(text) || id === null) return ERROR;
    this.current = id; // both mean the thread that the next command is about
    return OK;
  }

  // ---- going on ----

  #goOn(action: string | undefined, address: string): Outcome {
    if (address !== "") {
      const rip = REGISTERS.findIndex(({ name }) => name === "rip"),
        bytes = fromHex(address.padStart(16, "0"));
      if (bytes === null || !writeRegister(this.#cpu, this.current, rip, bytes.reverse())) return ERROR;
    }
    return { resume: action === "s" ? { ...RUN, step: this.current } : RUN };
  }
  #multiLetter(data: string): Outcome {
    if (data === "vCont?") return "vCont;c;C;s;S;t;r";
    if (data.startsWith("vCont;")) return this.#continue(data.slice(6).split(";"));
    if (data.startsWith("vKill;")) return { over: "killed", reply: OK };
    return UNKNOWN;
  }
  /**
   * Each processor does what the first action says that names it. But processors go on together, or none does: where one
   * is stepped the others run in their turns as ever, and one that is told to stand still does not.
   */
  #continue(actions: readonly string[]): Outcome {
    const byProcessor = new Map<number, string>();
    for (const text of actions) {
      const [action = "", thread] = text.split(":");
      if (!/^([ct]|s|[CS][0-9a-f]{2}|r[0-9a-f]+,[0-9a-f]+)$/i.test(action)) return ERROR;
      const all = thread === undefined || thread === "-1",
        named = all ? null : this.#processor(thread);
      if (!all && named === null) return ERROR;
      for (const id of all ? this.#ids : [named!]) if (!byProcessor.has(id)) byProcessor.set(id, action);
    }
    const going = [...byProcessor].filter(([, action]) => action !== "t");
    if (going.length === 0) return ERROR;
    const steps = going.filter(([, action]) => /^[sSr]/.test(action)),
      step = steps.find(([id]) => id === this.current) ?? steps[0];
    if (step === undefined) return { resume: RUN };
    return { resume: { step: step[0], alone: going.length === 1, range: rangeOf(step[1]) } };
  }

  // ---- queries ----

  #query(data: string): Outcome {
    const [name = "", ...args] = data.split(/[:,;]/);
    switch (name) {
      case "qSupported":
        this.understood = new Set(args.filter((arg) => arg.endsWith("+")).map((arg) => arg.slice(0, -1)));
        return FEATURES;
      case "qC":
        return `QC${(this.current + 1).toString(16)}`;
      case "qAttached":
        return "1"; // gdb is to detach when it quits, not to kill
      case "qSymbol":
        return OK; // no symbols are wanted
      case "qfThreadInfo":
        return `m${this.#ids.map((id) => (id + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo":
        return this.#threadInfo(args[0] ?? "");
      case "qXfer":
        return this.#transfer(args);
      case "qRcmd":
        return this.#monitor(args[0] ?? "");
      default:
        return UNKNOWN;
    }
  }
  #threadInfo(thread: string): string {
    const id = this.#processor(thread);
    return id === null ? ERROR : toHex(bytesOf(threadInfo(this.machine, id)));
  }
  #transfer([object, operation, annex, from, length]: readonly string[]): string {
    if (object !== "features" || operation !== "read") return UNKNOWN;
    const start = hexNumber(from),
      wanted = hexNumber(length);
    if (annex !== "target.xml" || start === null || wanted === null) return "E00";
    const piece = DESCRIPTION.slice(start, start + Math.min(wanted, PACKET_SIZE / 2)); // half: all may be escaped
    return (start + piece.length < DESCRIPTION.length ? "m" : "l") + escape(piece);
  }
  #monitor(text: string): string {
    const line = fromHex(text);
    if (line === null) return ERROR;
    this.#print(monitor(this.machine, this.current, textOf(line)));
    return OK;
  }
}

function rangeOf(action: string): Resume["range"] {
  const [first, end] = action.slice(1).split(",").map(hexAddress);
  return action[0] === "r" && first != null && end != null ? [first, end] : null;
}

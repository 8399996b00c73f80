/**
 * The machine as a library user holds it: build it, run it until something happens, type to it, read what it prints.
 *
 *     const pc = await Machine.create({ firmware, disks: [new OverlayDisk(new ImageDisk(bytes))] });
 *     const stop = pc.run({ until: pc.com1.shows("login:"), atMost: seconds(60) });
 *     if (stop.reason === "watch") pc.com1.type("root\n");
 */
import type { BlockDevice } from "@castaway/kit";
import { Board, type Firmware } from "./board.ts";
import { Transcript, type Watch } from "./console.ts";

export interface MachineOptions {
  readonly firmware: Firmware;
  /** RAM: bytes, or text like "512MiB"; at most 3.5 GiB less ROMs and video memory. Default "128MiB". */
  readonly memory?: number | string;
  /** Processors, 1 to 16. Default 1. */
  readonly cpus?: number;
  /** Processor model; see `modelNames` of the processor. Default "westmere". */
  readonly model?: string;
  /** What runs the instructions. Default "interpreter"; the evaluator is the slow oracle. */
  readonly executor?: "interpreter" | "evaluator";
  /** At most six; each is a port of the AHCI controller, the first one is booted. Default none. */
  readonly disks?: readonly BlockDevice[];
  /** What the real-time clock shows at the start, in seconds since 1970. Default 1700000000, so that runs repeat. */
  readonly startDate?: number;
  /** Whether the AHCI controller offers message-signalled interrupts. Default true. */
  readonly msi?: boolean;
  /** Whether the firmware's screen also goes to the first serial port. Default false. */
  readonly serialConsole?: boolean;
}

/** Why `run` came back. */
export interface MachineStop {
  readonly reason:
    | "watch"
    | "limit"
    | "powered off"
    /** Every processor waits and nothing will wake one: input may. */
    | "idle"
    | "shutdown"
    | "unimplemented";
  readonly detail: string;
}

/** A serial port, seen from outside: what it prints, and typing into it. */
export class SerialPort extends Transcript {
  readonly #receive: (bytes: Uint8Array) => void;
  constructor(receive: (bytes: Uint8Array) => void) {
    super();
    this.#receive = receive;
  }
  /** Sends characters to the guest, which takes them as it makes room. Characters above FF are sent as their low byte. */
  type(text: string): void {
    this.#receive(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }
}

export class Machine {
  readonly board: Board;
  readonly com1: SerialPort;
  readonly firmwareLog = new Transcript();
  readonly debugLog = new Transcript();
  #poweredOff = false;
  #resetWanted = false;

  constructor(options: MachineOptions) {
    const { memory = "128MiB", disks = [], startDate = 1_700_000_000, msi = true, serialConsole = false } = options;
    this.board = new Board(
      { ...options, memory, disks, startDate, msi, serialConsole },
      {
        reset: () => this.#interrupt(() => (this.#resetWanted = true)),
        powerOff: () => this.#interrupt(() => (this.#poweredOff = true)),
      },
    );
    const { board } = this;
    this.com1 = new SerialPort((bytes) => board.com1.receive(bytes));
    for (const [probe, transcript] of [
      [board.serialOutput, this.com1],
      [board.firmwareLog, this.firmwareLog],
      [board.debugLog, this.debugLog],
    ] as const) {
      probe.on((byte) => transcript.append(byte));
      transcript.onSeen = () => board.cpu.stop();
    }
    board.reset();
  }
  #interrupt(note: () => void): void {
    note();
    this.board.cpu.stop();
  }

  /** Virtual time in nanoseconds since power-on. */
  get now(): number {
    return this.board.cpu.now;
  }
  get poweredOff(): boolean {
    return this.#poweredOff;
  }
  /** The screen as lines of text; none without a display or in a graphics mode. */
  get screen(): readonly string[] {
    return this.board.vga?.screen()?.lines ?? [];
  }

  /**
   * Runs until the watch has seen what it waits for, or `atMost` nanoseconds of virtual time have passed, or the
   * machine is off or stuck.
   */
  run({ until, atMost = Number.POSITIVE_INFINITY }: { until?: Watch; atMost?: number } = {}): MachineStop {
    const end = this.now + atMost;
    for (;;) {
      if (this.#resetWanted) {
        this.#resetWanted = false;
        this.board.reset();
      }
      if (until?.seen) return { reason: "watch", detail: until.name };
      if (this.#poweredOff) return { reason: "powered off", detail: "" };
      if (this.now >= end) return { reason: "limit", detail: "" };
      const stop = this.board.cpu.run({ nanoseconds: end - this.now });
      if (stop.reason === "shutdown")
        this.#resetWanted = true; // a triple fault resets a PC
      else if (stop.reason !== "limit" && stop.reason !== "stopped")
        return { reason: stop.reason, detail: stop.detail };
    }
  }
  /** Presses the power button: the guest is told by ACPI. */
  powerButton(): void {
    this.board.acpi.pressPowerButton();
  }
  /** Presses the reset button. */
  reset(): void {
    this.board.reset();
  }
}

/** gdb's side of a connection, for tests: packets by hand, a machine of a few bytes, and a host that never waits. */
import { us } from "@castaway/kit";
import { Machine } from "../machine.ts";
import type { MachineOptions } from "../options.ts";
import { withRom } from "../rom.test-support.ts";
import { Runner } from "../runner.ts";
import { bytesOf, packet, textOf } from "./packets.ts";
import { type GdbEnd, GdbStub } from "./stub.ts";

export class Client {
  readonly machine: Machine;
  readonly stub: GdbStub;
  /** Everything that was sent since the last look. */
  #sent = "";
  /** Called each time the runner lets go. */
  onSleep: () => void = () => {};
  readonly end: Promise<GdbEnd>;

  constructor(code: readonly number[], options: Partial<MachineOptions> = {}) {
    this.machine = new Machine(withRom(code, options));
    this.stub = new GdbStub(this.machine, {
      send: (bytes) => {
        this.#sent += textOf(bytes);
      },
    });
    let clock = 0;
    const host = {
      now: () => (clock += 10),
      sleep: async () => {
        await tick();
        this.onSleep();
      },
    };
    this.end = this.stub.serve(new Runner(this.machine, host), host);
  }
  get cpu() {
    return this.machine.board.cpu;
  }
  /** What came since the last look, as it is on the wire. */
  take(): string {
    const sent = this.#sent;
    this.#sent = "";
    return sent;
  }
  raw(text: string): string {
    this.stub.receive(bytesOf(text));
    return this.take();
  }
  /** Sends a packet; the data of the answers, without acknowledgements. */
  ask(data: string): string {
    this.stub.receive(packet(data));
    return answers(this.take()).join(" ");
  }
  /** Sends a packet that lets the machine run; the answers at its next stop. */
  async go(data: string): Promise<string> {
    let answer = this.ask(data);
    for (let turns = 0; answer === "" && turns < 1000; turns++) {
      await tick();
      answer = answers(this.take()).join(" ");
    }
    return answer;
  }
  /** `monitor` text. */
  monitor(line: string): string {
    const hex = Array.from(bytesOf(line), (byte) => byte.toString(16).padStart(2, "0")).join("");
    return this.ask(`qRcmd,${hex}`)
      .split(" ")
      .filter((answer) => answer !== "OK")
      .map((answer) => textOf(Uint8Array.from(answer.slice(1).match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))))
      .join("");
  }
  /** Runs the machine by hand, before gdb does. */
  until(nanoseconds = us(10)): void {
    this.machine.run({ atMost: nanoseconds });
  }
}

/** Lets everything else happen that is due. */
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The data of the packets in what was sent. */
export const answers = (sent: string): string[] =>
  Array.from(sent.matchAll(/\$([^#]*)#[0-9a-f]{2}/g), (match) => match[1]!);

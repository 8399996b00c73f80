/**
 * A client of QEMU's GDB stub, by the remote serial protocol [GDB manual, appendix E], over a pair of FIFOs: a question
 * and its answer are two blocking system calls, 30 µs together, where a socket takes a turn of the event loop more.
 */
import { readSync, writeSync } from "node:fs";

const hex2 = (value: number) => value.toString(16).padStart(2, "0");
const sum = (text: string) => {
  let total = 0;
  for (let i = 0; i < text.length; i++) total += text.charCodeAt(i);
  return hex2(total & 0xff);
};

function expectOk(command: string, answer: string): void {
  if (answer !== "OK") throw new Error(`QEMU answers "${answer}" to ${command.slice(0, 60)}`);
}

/** How a packet is framed. */
export const framed = (text: string): string => `$${text}#${sum(text)}`;

/** Takes packets out of a stream, however it is cut; acknowledgements between them are passed over. */
export class Packets {
  #text = "";

  append(text: string): void {
    this.#text += text;
  }
  /** The contents of the next packet, or null if it has not come whole. @throws Error if its sum is wrong */
  next(): string | null {
    const start = this.#text.indexOf("$"),
      end = this.#text.indexOf("#", start);
    if (start < 0 || end < 0 || this.#text.length < end + 3) return null;
    const packet = this.#text.slice(start + 1, end),
      check = this.#text.slice(end + 1, end + 3);
    this.#text = this.#text.slice(end + 3);
    if (sum(packet) !== check) throw new Error(`the packet ${packet} came damaged`);
    return packet;
  }
}

export class Remote {
  readonly #in: number;
  readonly #out: number;
  readonly #packets = new Packets();
  readonly #buffer = Buffer.alloc(1 << 16);

  /** Open files: what the stub writes, and what it reads. */
  constructor(input: number, output: number) {
    this.#in = input;
    this.#out = output;
  }

  #answer(): string {
    for (;;) {
      const packet = this.#packets.next();
      if (packet !== null) return packet;
      const bytes = readSync(this.#in, this.#buffer);
      if (bytes === 0) throw new Error("QEMU has ended");
      this.#packets.append(this.#buffer.toString("latin1", 0, bytes));
    }
  }
  #send(text: string): void {
    writeSync(this.#out, text, null, "latin1");
  }

  /** Asks, and waits for the answer; `before` are commands that must succeed, sent in one go with it. */
  ask(command: string, before: readonly string[] = []): string {
    this.#send([...before, command].map(framed).join(""));
    for (const one of before) expectOk(one, this.#answer());
    return this.#answer();
  }
  /** Asks for something that must succeed. @throws Error if the stub refuses */
  tell(command: string): void {
    expectOk(command, this.ask(command));
  }
  /** Several at once. They must not make the processor run: the stub takes what comes meanwhile for Ctrl-C. */
  tellAll(commands: readonly string[]): void {
    for (let at = 0; at < commands.length; at += 8) {
      const some = commands.slice(at, at + 8);
      this.#send(some.map(framed).join(""));
      for (const command of some) expectOk(command, this.#answer());
    }
  }
  /** A file that the stub offers: `qXfer:KIND:read:NAME`. */
  file(kind: string, name: string): string {
    let text = "";
    for (;;) {
      const answer = this.ask(`qXfer:${kind}:read:${name}:${text.length.toString(16)},ffb`);
      if (!/^[ml]/.test(answer)) throw new Error(`QEMU does not offer ${kind} ${name}: "${answer}"`);
      text += answer.slice(1);
      if (answer.startsWith("l")) return text;
    }
  }
  /** A command of QEMU's monitor; what it prints. */
  monitor(command: string): string {
    this.#send(framed(`qRcmd,${Buffer.from(command).toString("hex")}`));
    let text = "";
    for (;;) {
      const answer = this.#answer();
      if (answer === "OK") return text;
      if (!answer.startsWith("O")) throw new Error(`QEMU's monitor answers "${answer}" to "${command}"`);
      text += Buffer.from(answer.slice(1), "hex").toString("latin1");
    }
  }
}

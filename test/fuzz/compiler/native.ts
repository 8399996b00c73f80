/** A module compiled by our back end, on our own processor: no host code, no operating system, no devices. */
import { Cpu } from "@castaway/cpu";
import Long from "long";
import { link } from "../../../packages/vmm/compiler/link.ts";
import { modulePieces } from "../../../packages/vmm/compiler/module-pieces.ts";
import { parseModule } from "../../../packages/vmm/compiler/wasm/parse.ts";
import type { Io } from "./io.ts";

/** The code, in the first 4 GiB, which are mapped to themselves. */
const CODE = 0x200000,
  STACK_TOP = 0x180000,
  /** HLT, where calls return to. */
  RETURN = 0x1f0000,
  ARGUMENTS = ["RDI", "RSI", "RDX", "RCX", "R8", "R9"];

export type Outcome = bigint | "trap" | "endless";

export class Native {
  readonly cpu: Cpu;
  readonly codeBytes: number;
  readonly #addresses = new Map<string, number>();
  readonly #wide = new Map<string, boolean>();
  #instructions = 0;

  /** @param mutate changes the code before it runs: for tests of the tests */
  constructor(bytes: Uint8Array, io: Io, mutate: (code: Uint8Array) => void = () => {}) {
    const module = parseModule(bytes);
    const linked = link(modulePieces(module, { memoryPages: module.memoryPages }), CODE);
    mutate(linked.bytes);
    this.codeBytes = linked.bytes.length;
    this.cpu = new Cpu({
      memory: "8MiB",
      patience: 2,
      ports: { read: (port, size) => io.read(port, size), write: (port, size, value) => io.write(port, size, value) },
    });
    this.cpu.write(CODE, linked.bytes);
    this.cpu.write(RETURN, [0xf4]);
    for (const { address, bytes } of module.data) this.cpu.write(address, bytes);
    for (const [name, index] of module.exports) {
      this.#addresses.set(name, linked.addressOf(`function:${index}`));
      this.#wide.set(name, module.functions[index]!.type.results[0] === "i64");
    }
  }

  /** @param values as unsigned 64-bit patterns; an i32 in the lower half, the upper half is zero */
  call(name: string, values: readonly bigint[]): Outcome {
    const { cpu } = this;
    cpu.enter("long", this.#addresses.get(name)!);
    cpu.set("IDTR.limit", 0);
    const stack = STACK_TOP - 8 - 8 * Math.max(0, values.length - 6);
    const frame = [BigInt(RETURN), ...values.slice(6)].flatMap((value) =>
      Array.from({ length: 8 }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn)),
    );
    cpu.write(stack, frame);
    cpu.set("RSP", stack);
    for (const [n, value] of values.slice(0, 6).entries()) {
      const [low, high] = [Number(value & 0xffffffffn), Number(value >> 32n)];
      cpu.set(ARGUMENTS[n]!, Long.fromBits(low | 0, high | 0, true));
    }
    const { reason, instructions } = cpu.run({ instructions: 3_000_000 });
    this.#instructions += instructions;
    if (reason === "shutdown") return "trap";
    if (reason !== "idle") return "endless";
    const result = BigInt(cpu.get("RAX").toUnsigned().toString());
    return result; // all of it: an i32 must come with a clear upper half
  }
  get instructions(): number {
    return this.#instructions;
  }
}

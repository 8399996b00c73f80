/** The commands behind gdb's `monitor`: what the protocol has no packet for. */
import { Decoder, definitions, disassemble, type Model, OpcodeMap } from "@castaway/cpu";
import { ConfigError } from "@castaway/kit";
import Long from "long";
import type { Machine } from "../machine.ts";
import { readMemory } from "./memory.ts";
import { addressText, hexAddress, hexNumber, toHex } from "./packets.ts";
import { codeBase, isLong, modeName, nextInstruction } from "./registers.ts";

interface Command {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  /** @param id the processor of gdb's current thread */
  run(machine: Machine, id: number, words: readonly string[]): string;
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
const usage = (command: Command) => `usage: monitor ${command.name} ${command.usage}`.trimEnd();

const COMMANDS: readonly Command[] = [
  { name: "help", usage: "", help: "this list", run: () => help() },
  { name: "info", usage: "", help: "time, instructions, and what each processor does", run: info },
  {
    name: "inspect",
    usage: "[PATH]",
    help: "a part of the machine: cpu0.RIP, ahci.hba.ports[0], pics; without a path what there is",
    run: (machine, _id, words) => show(machine.inspect(words.join("")), 0),
  },
  {
    name: "disassemble",
    usage: "[ADDRESS [COUNT]]",
    help: "instructions in this processor's mode (16, 32 or 64 bits) from a linear address on; default: the next 8",
    run: listing,
  },
  { name: "translate", usage: "ADDRESS", help: "the physical address of a linear one", run: translate },
  { name: "physical", usage: "ADDRESS [BYTES]", help: "bytes of physical memory, at most 1000", run: physical },
  {
    name: "screen",
    usage: "",
    help: "the text on the screen",
    run: ({ screen }) => (screen.lines.length > 0 ? screen.text : "the screen shows no text"),
  },
  { name: "digest", usage: "", help: "a digest of all that the guest can see", run: (machine) => machine.digest() },
  {
    name: "reset",
    usage: "",
    help: "presses the reset button; then `maintenance flush register-cache`, or step, to see the new registers",
    run(machine) {
      machine.reset();
      return "the machine was reset";
    },
  },
  {
    name: "power",
    usage: "",
    help: "presses the power button",
    run(machine) {
      machine.powerButton();
      return "the power button was pressed";
    },
  },
];

/** What a command prints, with a line break at its end. What is wrong with it is said in words, never thrown. */
export function monitor(machine: Machine, id: number, line: string): string {
  const [name = "help", ...words] = line.split(/\s+/).filter((word) => word !== "");
  const found = COMMANDS.filter((command) => command.name.startsWith(name));
  const [command] = found;
  if (command === undefined) return `there is no command "${name}"\n${help()}\n`;
  if (found.length > 1 && command.name !== name)
    return `"${name}" may be: ${found.map((each) => each.name).join(", ")}\n`;
  try {
    return `${command.run(machine, id, words)}\n`;
  } catch (error) {
    if (error instanceof ConfigError) return `${error.message}\n`;
    throw error;
  }
}

function help(): string {
  const rows = COMMANDS.map((command) => [`${command.name} ${command.usage}`.trimEnd(), command.help] as const);
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`).join("\n");
}

const ACTIVITIES = ["running", "halted", "shut down", "waiting for SIPI", "in MWAIT"];

/** What a processor does and in which mode, as `info threads` shows it. */
export function threadInfo({ board: { cpu } }: Machine, id: number): string {
  const activity = ACTIVITIES[cpu.state("activity", id)] ?? "stopped";
  return `cpu ${id} ${activity}, ${modeName(cpu, id)}, ring ${cpu.state("CPL", id)}`;
}

function info(machine: Machine): string {
  const { cpu } = machine.board;
  const processors = cpu.processors.map(({ id }) => {
    const at = `${hex(cpu.state("CS.selector", id), 4)}:${cpu.get("RIP", id).toString(16)}`;
    return `${threadInfo(machine, id)}, at ${at} (linear ${addressText(nextInstruction(cpu, id))})`;
  });
  return [
    `${(machine.now / 1e9).toFixed(9)} s of virtual time, ${machine.instructions} instructions` +
      (machine.poweredOff ? ", powered off" : ""),
    ...processors,
  ].join("\n");
}

let opcodes: OpcodeMap | undefined;
function decoderFor({ features }: Model): Decoder {
  opcodes ??= new OpcodeMap(definitions);
  return new Decoder(opcodes, (form) => form.feature === undefined || features.has(form.feature));
}
const LONGEST_INSTRUCTION = 15;

function listing(machine: Machine, id: number, [from, count = "8"]: readonly string[]): string {
  const { cpu } = machine.board;
  let linear = from === undefined ? nextInstruction(cpu, id) : address(from);
  const wanted = Number(count);
  if (linear === null || !(wanted >= 1 && wanted <= 1000)) return usageOf("disassemble");
  const decoder = decoderFor(cpu.model),
    state = cpu.state("mode", id),
    mode = { bits: ([16, 32, 64, 64] as const)[state & 3]!, real: (state & 4) !== 0 };
  const lines: string[] = [];
  while (lines.length < wanted) {
    const bytes = readMemory(cpu, id, linear, LONGEST_INSTRUCTION),
      insn = decoder.decode(bytes, 0, bytes.length, mode);
    if (insn === null) {
      lines.push(`${addressText(linear)}  not mapped`);
      break;
    }
    const code = toHex(bytes.subarray(0, insn.length)).padEnd(20),
      offset = isLong(cpu, id) ? BigInt(linear) : (BigInt(linear) - codeBase(cpu, id)) & 0xffffffffn;
    lines.push(`${addressText(linear)}  ${code}  ${disassemble(insn, BigInt.asUintN(64, offset))}`);
    linear += insn.length;
  }
  return lines.join("\n");
}

function translate({ board: { cpu } }: Machine, id: number, [word]: readonly string[]): string {
  const linear = word === undefined ? null : address(word);
  if (linear === null) return usageOf("translate");
  const at = cpu.linearToPhysical(linear, id);
  return at === null ? "not mapped" : hex(at, 8);
}

function physical({ board: { cpu } }: Machine, _id: number, [from, length = "40"]: readonly string[]): string {
  const start = hexNumber(withoutPrefix(from)),
    bytes = hexNumber(withoutPrefix(length));
  if (start === null || bytes === null || start >= 2 ** 40 || bytes < 1 || bytes > 0x1000) return usageOf("physical");
  const data = cpu.read(start, bytes);
  const lines: string[] = [];
  for (let at = 0; at < bytes; at += 16) {
    const row = data.subarray(at, at + 16),
      text = Array.from(row, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."));
    lines.push(`${hex(start + at, 8)}  ${(toHex(row).match(/../g) ?? []).join(" ").padEnd(47)}  ${text.join("")}`);
  }
  return lines.join("\n");
}

const withoutPrefix = (word: string | undefined) => word?.replace(/^0x/i, "");
const address = (word: string) => hexAddress(withoutPrefix(word));
const usageOf = (name: string) =>
  `${usage(COMMANDS.find((command) => command.name === name)!)}; numbers are hexadecimal`;

/** Deeper than this, only the sort of a value is shown. */
const DEEPEST = 4;

/** A value as lines: numbers also in hexadecimal, records by their fields. */
function show(value: unknown, depth: number): string {
  if (Long.isLong(value)) return `0x${value.toUnsigned().toString(16)}`;
  if (typeof value === "number")
    return Number.isInteger(value) && value > 9 ? `${value} (0x${hex(value, 0)})` : String(value);
  if (value instanceof Uint8Array) return value.length > 64 ? `${value.length} bytes` : toHex(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (depth === DEEPEST) return "..";
  const entries = Object.entries(value);
  if (Array.isArray(value) && value.every((each) => typeof each !== "object")) return value.join(" ");
  const pad = "  ".repeat(depth);
  return entries
    .map(([key, each]) => `${depth === 0 ? "" : "\n"}${pad}${key}: ${show(each, depth + 1)}`)
    .join(depth === 0 ? "\n" : "");
}

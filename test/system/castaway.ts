/** Runs a ROM image on our processor, from the reset vector. */
import { Cpu, type CpuOptions, type Feature, type Model, modelNamed, withFeatures } from "@castaway/cpu";
import { IMAGE_BYTES, outputOf } from "./program.ts";

const PAGE = 4096;
/** The image is at the top of 4 GiB, and below 1 MiB. */
const PLACES = [2 ** 32 - IMAGE_BYTES, 2 ** 20 - IMAGE_BYTES];
/** No program takes longer. */
const MAX_INSTRUCTIONS = 20_000_000;

/** The machine that a program wants. */
export interface Kind {
  /** A model's name, and features that it is to have besides: "skylake +monitor". */
  readonly model: string;
  readonly cpus?: number;
}

export interface Run {
  readonly output: string[];
  readonly instructions: number;
  /** Of the whole state at the end. */
  readonly digest: string;
}

/** A model with the features that `text` adds. */
function modelOf(text: string): Model {
  const [name, ...added] = text.split(" +");
  return withFeatures(modelNamed(name!), added as Feature[]);
}

class Machine {
  readonly cpu: Cpu;
  text = "";
  ended = false;
  constructor(image: Uint8Array, options: CpuOptions) {
    const ports = {
      read: (_port: number, bytes: number) => 2 ** (8 * bytes) - 1,
      write: (port: number, _bytes: number, value: number) => this.#write(port, value),
    };
    this.cpu = new Cpu({ memory: "4MiB", extraBytes: IMAGE_BYTES, ports, ...options });
    const { physical } = this.cpu,
      host = physical.allocate(IMAGE_BYTES);
    physical.u8.set(image, host);
    for (const place of PLACES) {
      for (let at = 0; at < IMAGE_BYTES; at += PAGE) physical.mapHost((place + at) / PAGE, host + at, false);
    }
    this.cpu.physicalMapChanged();
  }
  #write(port: number, value: number): void {
    if (port === 0xe9) this.text += String.fromCharCode(value);
    if (port !== 0x501) return;
    this.ended = true;
    this.cpu.stop();
  }
}

const finished = (machine: Machine, reason: string, detail: string): string[] => {
  const lines = outputOf(machine.text);
  if (!machine.ended) lines.push(detail === "" ? reason : `${reason}: ${detail}`);
  return lines;
};

/** From the beginning to the end at once. */
export function runStraight(
  image: Uint8Array,
  { model, cpus = 1 }: Kind,
  executor: "interpreter" | "evaluator",
  at?: (cpu: Cpu) => void,
): Run {
  const machine = new Machine(image, { model: modelOf(model), cpus, executor }),
    { cpu } = machine;
  at?.(cpu);
  const { reason, detail } = cpu.run({ instructions: MAX_INSTRUCTIONS });
  return { output: finished(machine, reason, detail), instructions: cpu.retired, digest: cpu.digest() };
}

/** Saved every `every` instructions, and restored into the other of two machines, which have different executors. */
export function runInLegs(image: Uint8Array, { model, cpus = 1 }: Kind, every: number): Run {
  const machines = (["interpreter", "evaluator"] as const).map(
    (executor) => new Machine(image, { model: modelOf(model), cpus, executor }),
  );
  for (let leg = 0; ; leg++) {
    const here = machines[leg % 2]!,
      there = machines[(leg + 1) % 2]!,
      { cpu } = here;
    const { reason, detail } = cpu.run({ instructions: every });
    if (here.ended || reason !== "limit" || cpu.retired > MAX_INSTRUCTIONS) {
      return { output: finished(here, reason, detail), instructions: cpu.retired, digest: cpu.digest() };
    }
    there.cpu.restore(cpu.save());
    there.text = here.text;
  }
}

/** The parts of a board by name: what is reset, saved, restored and inspected together. */
import type { Device } from "@castaway/devices";
import { encodeState, type Plain, record, type Shape } from "@castaway/kit";

/**
 * When a part is restored. Chips drive their lines anew, so whoever keeps an edge or a level of its own comes after those
 * that drive it: media, then chips, then PCI functions and bridges, then the interrupt controllers.
 */
const stages = ["medium", "chip", "pci", "interrupts"] as const;
export type Stage = (typeof stages)[number];

/** All parts' states by their names. */
export type PartStates = { [name: string]: Plain };

interface Part {
  readonly stage: Stage;
  readonly device: Device<Plain>;
  readonly shape: Shape<Plain>;
}

export class Parts {
  readonly #parts = new Map<string, Part>();

  /** @param shape of what the part saves */
  add<S, D extends Device<S>>(name: string, device: D & Device<S>, shape: Shape<S>, stage: Stage = "chip"): D {
    this.#parts.set(name, {
      stage,
      device: device as unknown as Device<Plain>,
      shape: shape as unknown as Shape<Plain>,
    });
    return device;
  }

  get names(): string[] {
    return [...this.#parts.keys()];
  }

  /** RESET#, in the order in which the parts were added. */
  reset(): void {
    for (const { device } of this.#parts.values()) device.reset();
  }

  /** The state of one part, or undefined if there is none of that name. */
  inspect(name: string): Plain | undefined {
    return this.#parts.get(name)?.device.save();
  }

  save(): PartStates {
    return Object.fromEntries([...this.#parts].map(([name, { device }]) => [name, device.save()]));
  }

  /** What {@link save} gives for a board of this configuration. */
  get shape(): Shape<PartStates> {
    return record(Object.fromEntries([...this.#parts].map(([name, { shape }]) => [name, shape]))) as Shape<PartStates>;
  }

  /** @param states that fit {@link shape} */
  restore(states: PartStates): void {
    for (const stage of stages) {
      for (const [name, part] of this.#parts) if (part.stage === stage) part.device.restore(states[name]!);
    }
  }

  /** Everything that the parts save, as bytes. */
  bytes(): Uint8Array {
    return encodeState("castaway parts", 0, this.save());
  }
}

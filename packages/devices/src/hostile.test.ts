/** Guests may do anything to the board's chips: random accesses of any size never throw, and states stay valid. */
import { Clock, Random, type Shape } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AcpiRegisters, acpiState } from "./chipset/acpi.ts";
import { DmaControllers, dmaState } from "./chipset/dma.ts";
import { HostBridge } from "./chipset/host-bridge.ts";
import { IsaBridge } from "./chipset/isa-bridge.ts";
import { Port61 } from "./chipset/ports.ts";
import { PowerManagement } from "./chipset/power.ts";
import type { RegisterSpace } from "./device.ts";
import { acpiFiles } from "./firmware/acpi-tables.ts";
import { FwCfg, fwCfgState } from "./firmware/fw-cfg.ts";
import { IoApic, ioApicState } from "./interrupts/ioapic.ts";
import { Pics, picsState } from "./interrupts/pics.ts";
import { PciBus } from "./pci/bus.ts";
import { Pit, pitState } from "./timers/pit.ts";
import { Rtc, rtcState } from "./timers/rtc.ts";

type Target = { spaces: [RegisterSpace, size: number][]; check(): void };
const line = { set: () => {} };
const nothing = () => {};

const targets: Record<string, (clock: Clock, random: Random) => Target> = {
  "8259A pair": (_clock, random) => {
    const chip = new Pics({ intr: line });
    const poke = {
      read: () => chip.acknowledge(),
      write: (offset: number) => chip.line(offset === 2 ? 3 : offset).set(random.chance(0.5)),
    };
    return {
      spaces: [
        [chip.master.ports, 2],
        [chip.slave.ports, 2],
        [chip.elcr, 2],
        [poke, 16],
      ],
      check: valid(picsState, chip),
    };
  },
  "I/O APIC": (_clock, random) => {
    const chip: IoApic = new IoApic({
      deliver: ({ vector }) => {
        if (random.chance(0.1)) chip.endOfInterrupt(vector);
        return random.chance(0.9);
      },
    });
    const poke = { read: () => 0, write: (offset: number) => chip.line(offset).set(random.chance(0.5)) };
    return {
      spaces: [
        [chip, 0x44],
        [poke, 24],
      ],
      check: valid(ioApicState, chip),
    };
  },
  "8254 with port 61": (clock) => {
    const chip = new Pit({ clock, irq: line });
    return {
      spaces: [
        [chip.ports, 4],
        [new Port61({ clock, pit: chip }).ports, 1],
      ],
      check: valid(pitState, chip),
    };
  },
  MC146818: (clock) => {
    const chip = new Rtc({ clock, irq: line }, { start: 951782399 });
    return { spaces: [[chip.ports, 2]], check: valid(rtcState, chip) };
  },
  "ACPI registers": (clock) => {
    const chip = new AcpiRegisters({ clock, sci: line, sleep: nothing });
    return {
      spaces: [
        [chip.ports, 64],
        [chip.gpe, 4],
      ],
      check: valid(acpiState, chip),
    };
  },
  DMA: () => {
    const chip = new DmaControllers();
    return {
      spaces: [
        [chip.first, 16],
        [chip.second, 32],
        [chip.pages, 16],
      ],
      check: valid(dmaState, chip),
    };
  },
  fw_cfg: () => {
    const chip = new FwCfg({ files: acpiFiles({ cpus: 2 }) });
    return { spaces: [[chip, 2]], check: valid(fwCfgState, chip) };
  },
  "PCI with its bridges": () => {
    const mapper = { map: nothing, unmap: nothing };
    const isa = new IsaBridge({ irq: () => line });
    const host = new HostBridge({ pam: nothing });
    const bus = new PciBus({ pirq: isa.pirq });
    const power = new PowerManagement({ mapper, acpi: { read: () => 0, write: nothing } });
    bus.add(0, 0, host.pci);
    bus.add(1, 0, isa.pci);
    bus.add(1, 3, power.pci);
    const check = () => {
      for (const chip of [host, isa, power]) valid(chip.state, chip)();
    };
    return {
      spaces: [
        [bus.ports, 8],
        [host.pci.config, 256],
        [isa.pci.config, 256],
        [power.pci.config, 256],
      ],
      check,
    };
  },
};

function valid<S>(shape: Shape<S>, chip: { save(): S; restore(state: S): void }): () => void {
  return () => {
    const state: unknown = chip.save();
    shape.check(state, "");
    chip.restore(state);
    assert.equal(chip.save(), state);
  };
}

const test = suite("random accesses");
for (const [name, make] of Object.entries(targets)) {
  test(name, () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = new Random(seed);
      const clock = new Clock();
      const { spaces, check } = make(clock, random);
      for (let i = 0; i < 4000; i++) {
        const [space, size] = spaces[random.below(spaces.length)];
        const bytes = [1, 2, 4][random.below(3)];
        const offset = random.below(size);
        if (offset + bytes > size) continue;
        const value = random.chance(0.3) ? [0, 0xff, 0xffffffff, 0x80, 0x34][random.below(5)] : random.below(2 ** 32);
        if (random.chance(0.4)) answers(space.read(offset, bytes), bytes);
        else space.write(offset, bytes, value >>> (32 - 8 * bytes));
        if (random.chance(0.1)) clock.advanceTo(clock.now + random.below(random.chance(0.02) ? 100_000_000 : 5000));
        if (i % 16 === 0) check();
      }
    }
  });
}
function answers(value: number, bytes: number): void {
  assert.ok(value >= 0 && value < 2 ** (8 * bytes) && Number.isInteger(value), `${bytes} bytes read as ${value}`);
}
test.run();

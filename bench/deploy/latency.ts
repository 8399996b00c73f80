/**
 * What the hypervisor adds to a disk read of the guest's whose block is local: Linux reads 4 KiB at a time past its cache, and the
 * time from the end of one command to the end of the next is taken. The background copy rests, so the hypervisor stays.
 */
import { ms, seconds } from "@castaway/kit";
import { exitName, ImageDisk, Laboratory, Machine, OverlayDisk, type VmmProgram } from "castaway";
import { blob, demoImage } from "../../test/system/guests/machine.ts";

const READS = 300;
const LINE = `dd if=/dev/sda of=/dev/null bs=4k count=${READS} skip=400 iflag=direct`;
const MEMORY = "128MiB";
/** Reads at both ends that do not count. */
const MARGIN = 10;

export interface ReadTimes {
  /** Microseconds of virtual time from read to read, and those of them that the drive takes. */
  readonly read: number;
  readonly drive: number;
  readonly exits: Readonly<Record<string, ExitCost>>;
}
/** Of one kind of exit: how many a read makes, and each one's mean, from the guest's stop to its going on. */
export interface ExitCost {
  readonly perRead: number;
  readonly microseconds: number;
  readonly instructions: number;
  readonly deviceAccesses: number;
}

export function bareReads(): ReadTimes {
  const pc = new Machine({
    firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
    memory: MEMORY,
    disks: [{ medium: new OverlayDisk(new ImageDisk(demoImage())), timing: "ssd" }],
    networkCards: [{}, {}],
  });
  return readTimes(pc);
}

export async function mediatedReads(vmm: VmmProgram): Promise<ReadTimes> {
  const lab = await Laboratory.create({
    read: async (path) => blob(path),
    image: demoImage(),
    vmm,
    memory: MEMORY,
    oracle: false,
    commandLine: { pause: seconds(59) },
    link: { bandwidth: 1e9, mtu: 9000 },
    disk: { timing: "ssd" },
  });
  const times = readTimes(lab.machine);
  if (lab.phase !== "streaming") throw new Error("the hypervisor has left");
  return times;
}

function readTimes(pc: Machine): ReadTimes {
  type(pc, "", "castaway# ");
  for (const round of ["first", "second"]) type(pc, `${LINE}; echo "<"${round}">"\n`, `<${round}>`); // now all is local
  const ends: number[] = [];
  let drive = 0;
  const exits = watchExits(pc);
  pc.probes.disks[0]!.commands.on(({ ended, issued }) => {
    drive += ended - issued;
    ends.push(ended);
  });
  type(pc, `${LINE}; echo "<"third">"\n`, "<third>");
  pc.run({ atMost: ms(1) });
  if (ends.length !== READS) throw new Error(`${ends.length} commands instead of ${READS}`);
  const inside = ends.slice(MARGIN, -MARGIN);
  const read = (inside.at(-1)! - inside[0]!) / (inside.length - 1) / 1000;
  return { read, drive: drive / READS / 1000, exits: exits() };
}

function type(pc: Machine, line: string, answer: string): void {
  const until = pc.com1.shows(answer);
  pc.com1.type(line);
  const { reason, detail } = pc.run({ until, atMost: seconds(30) });
  if (reason !== "watch") throw new Error(`no ${answer}: ${reason} ${detail}\n${pc.com1.text.slice(-500)}`);
}

/** @returns what there was since */
function watchExits(pc: Machine): () => Record<string, ExitCost> {
  const sums = new Map<string, { count: number; time: number; instructions: number; devices: number }>();
  let name: string | null = null;
  let [at, retired, devices] = [0, 0, 0];
  pc.probes.vmExit.on(({ reason, time }) => {
    name = exitName(reason);
    [at, retired, devices] = [time, pc.board.cpu.retired, 0];
  });
  pc.probes.memory.on(() => devices++);
  pc.probes.vmEntry.on(({ time }) => {
    if (name === null) return;
    const sum = sums.get(name) ?? { count: 0, time: 0, instructions: 0, devices: 0 };
    sum.count++;
    sum.time += time - at;
    sum.instructions += pc.board.cpu.retired - retired;
    sum.devices += devices;
    sums.set(name, sum);
    name = null;
  });
  return () =>
    Object.fromEntries(
      [...sums]
        .filter(([, { count }]) => count >= READS / 20)
        .map(([reason, { count, time, instructions, devices }]) => [
          reason,
          {
            perRead: count / READS,
            microseconds: time / count / 1000,
            instructions: instructions / count,
            deviceAccesses: devices / count,
          },
        ]),
    );
}

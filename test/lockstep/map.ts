/** What decides where addresses below 1 MiB and above lead: the host bridge's shadowing, and gate A20. Read off our map. */
import type { PhysicalMemory } from "@castaway/cpu";
import { PAGE } from "./state.ts";
import type { MigrationStream } from "./stream.ts";

export interface MapState {
  /** PAM0 to PAM6, registers 59 to 5F of the host bridge [82441FX 3.2.18]. */
  readonly pam: readonly number[];
  readonly a20: boolean;
}

const READ = 1,
  WRITE = 2;

export function mapStateOf(memory: PhysicalMemory): MapState {
  const ram = memory.ram.byteOffset;
  const rights = (base: number) => {
    const page = base / PAGE;
    const host = ram + base;
    return (memory.readHost[page] === host ? READ : 0) | (memory.writeHost[page] === host ? WRITE : 0);
  };
  const pair = (base: number) => rights(base) | (rights(base + 0x4000) << 4);
  const pam = [rights(0xf0000) << 4, ...[0xc0000, 0xc8000, 0xd0000, 0xd8000, 0xe0000, 0xe8000].map(pair)];
  const gated = memory.readHost[0x100000 / PAGE] === memory.readHost[0];
  return { pam, a20: !gated };
}

const CONFIG = 0x80000000;
/** Commands of QEMU's monitor that bring its map from one state to another. */
export function mapCommands(from: MapState | null, to: MapState): string[] {
  const commands: string[] = [];
  to.pam.forEach((value, n) => {
    const register = 0x59 + n;
    if (from?.pam[n] === value) return;
    commands.push(
      `o /w 0xcf8 0x${(CONFIG + (register & ~3)).toString(16)}`,
      `o /b 0x${(0xcfc + (register & 3)).toString(16)} ${value}`,
    );
  });
  if (from?.a20 !== to.a20) commands.push(`o /b 0x92 ${to.a20 ? 2 : 0}`);
  return commands;
}

/** Gate A20 as it is in a stream. */
export function patchA20(stream: MigrationStream, a20: boolean): void {
  stream.device("cpu").set("env.a20_mask", a20 ? -1 : ~(1 << 20));
  stream.device("port92").set("outport", a20 ? 2 : 0);
}
